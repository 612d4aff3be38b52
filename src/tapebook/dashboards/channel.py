"""What passes between a viewer's browser and a kernel: the traffic of widgets, and nothing else."""

from __future__ import annotations

import json
from typing import Any

from jupyter_server.services.kernels.connection.base import (
    deserialize_binary_message,
    deserialize_msg_from_ws_v1,
)
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from jupyter_server.services.kernels.websocket import KernelWebsocketHandler
from tornado.web import HTTPError

from tapebook.dashboards.apology import note

IN = frozenset({"comm_open", "comm_msg", "comm_close", "comm_info_request", "kernel_info_request"})
OPENED = frozenset({"jupyter.widget.control"})
"""What a browser may open: the line on which it asks for the widgets that there are; it makes none."""
OUT = frozenset(
    {
        *("comm_open", "comm_msg", "comm_close", "comm_info_reply", "kernel_info_reply", "status"),
        *("display_data", "update_display_data", "clear_output"),
    }
)
_MOST = 1_000_000  # bytes of one message from a browser: a slider's is some hundred
_PARTS = 64  # of one message: more are an attack on the reader's memory


class WidgetTraffic(ZMQChannelsWebsocketConnection):
    """A line between browser and kernel on which no code travels."""

    def handle_incoming_message(self, incoming_msg: str | bytes) -> None:
        """Pass a message on if it is traffic of widgets, written anew: the kernel reads what we read."""
        stream = (self.channels or {}).get("shell")
        if stream is None:
            return
        try:
            message = read(incoming_msg, self.subprotocol)
        except Exception as error:  # whatever a browser may send
            self.log.warning("a message that is none was dropped: %s", error)
            return
        refused = why_refused(message)
        if refused:
            self.log.warning("a viewer's message was refused: %s", refused)
            return
        self.session.send(
            stream,
            message["header"]["msg_type"],
            content=message["content"],
            parent=message["parent_header"],
            header=message["header"],
            metadata=message["metadata"],
            buffers=message["buffers"],
        )

    def _on_zmq_reply(self, stream: Any, msg_list: Any) -> None:
        """Pass the kernel's message on if a widget needs it; what went wrong is for the log alone."""
        header = msg_list["header"] if isinstance(msg_list, dict) else json.loads(bytes(msg_list[0]))
        kind = header["msg_type"]
        if kind in OUT:
            super()._on_zmq_reply(stream, msg_list)  # type: ignore[no-untyped-call]
        elif kind == "error":
            content = msg_list["content"] if isinstance(msg_list, dict) else json.loads(bytes(msg_list[3]))
            note("\n".join(content.get("traceback", ())))


def read(said: str | bytes, protocol: str | None) -> dict[str, Any]:
    """Read a message of either protocol: channel, header, parent_header, metadata, content, buffers.

    ValueError, KeyError or TypeError of anything else.
    """
    if len(said) > _MOST:
        raise ValueError(f"it has {len(said):,} bytes")
    if protocol == "v1.kernel.websocket.jupyter.org":
        if not isinstance(said, bytes) or int.from_bytes(said[:8], "little") > _PARTS:
            raise TypeError("it is no message of this protocol")
        channel, parts = deserialize_msg_from_ws_v1(said)  # type: ignore[no-untyped-call]
        names = ("header", "parent_header", "metadata", "content")
        message = {name: json.loads(bytes(part)) for name, part in zip(names, parts[:4], strict=True)}
        message |= {"channel": channel, "buffers": [bytes(part) for part in parts[4:]]}
    else:
        if isinstance(said, bytes) and int.from_bytes(said[:4], "big") > _PARTS:
            raise ValueError("it has too many parts")
        binary: Any = deserialize_binary_message
        message = binary(said) if isinstance(said, bytes) else json.loads(said)
        message = {"channel": "shell", "parent_header": {}, "metadata": {}, "buffers": []} | message
        message["buffers"] = [bytes(part) for part in message["buffers"] or ()]
    for name in ("header", "parent_header", "metadata", "content"):
        if not isinstance(message[name], dict):
            raise TypeError(f"its {name} is no table of names and values")
    return message


def why_refused(message: dict[str, Any]) -> str:
    """Say why a message does not pass; "" if it does."""
    kind = message["header"]["msg_type"]
    if not isinstance(kind, str) or kind not in IN:
        return f"{kind!r} is no traffic of widgets"
    if message.get("msg_type", kind) != kind:
        return "it says two kinds of itself"
    if message["channel"] != "shell":
        return f"{kind} on the channel {message['channel']!r}"
    if kind == "comm_open" and message["content"].get("target_name") not in OPENED:
        return f"opening {message['content'].get('target_name')!r}"
    return ""


class Channels(KernelWebsocketHandler):
    """The address of that line: only for a kernel that there is, from a page of this server."""

    async def get(self, kernel_id: str) -> None:
        """Open the line."""
        if kernel_id not in self.kernel_manager:
            raise HTTPError(404)
        await super().get(kernel_id=kernel_id)  # type: ignore[no-untyped-call]
