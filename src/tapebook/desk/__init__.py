"""Desk: the one object an analyst holds. It ties the rooms together and computes nothing itself."""

from __future__ import annotations

from tapebook.desk.compare import CompareRoom
from tapebook.desk.documents import DocumentRoom
from tapebook.desk.edits import EditRoom
from tapebook.desk.events import EventRoom
from tapebook.desk.explore import ExploreRoom
from tapebook.desk.forward import ForwardRoom
from tapebook.desk.items import ItemRoom
from tapebook.desk.kept_screens import KeptScreenRoom
from tapebook.desk.market import MarketRoom
from tapebook.desk.publish import PublishRoom
from tapebook.desk.runs import RunRoom
from tapebook.desk.schedule import ScheduleRoom
from tapebook.desk.secrets import SecretRoom
from tapebook.desk.sweep import SweepRoom
from tapebook.desk.team import TeamRoom
from tapebook.desk.walk_forward import WalkForwardRoom


class Desk(
    ExploreRoom,
    CompareRoom,
    WalkForwardRoom,
    ForwardRoom,
    SecretRoom,
    DocumentRoom,
    SweepRoom,
    MarketRoom,
    KeptScreenRoom,
    EventRoom,
    ScheduleRoom,
    RunRoom,
    PublishRoom,
    ItemRoom,
    TeamRoom,
    EditRoom,
):
    """Market data, strategies, backtests and reports of one place (a folder, or a database).

    desk = Desk.open()
    desk.ingest("sample")
    bars = desk.bars(["AAPL", "MSFT"], start="2005")
    desk.backtest("sma_cross", bars, fast=10).tearsheet()
    """
