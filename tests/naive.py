"""The slow and obvious twins of what the package computes fast: plain Python loops, one idea a line."""

from dataclasses import dataclass, field
from math import floor, isnan, nan, sqrt


@dataclass
class Order:
    row: int
    symbol: int
    units: float
    price: float
    fees: float
    slippage: float
    reason: str
    decided: int


@dataclass
class Trade:
    symbol: int
    direction: str
    entry_row: int
    exit_row: int
    units: float
    entry_price: float
    fees: float
    pnl: float
    ret: float
    mae: float
    mfe: float
    status: str
    exit_reason: str


@dataclass
class Position:
    """One symbol of an account."""

    units: float = 0.0
    mean: float = 0.0
    peak: float = 0.0
    orders: list = field(default_factory=list)  # of the trade in progress
    seen: list = field(default_factory=list)  # prices since the entry
    waiting: object = None  # (what was decided, row)


@dataclass
class Answer:
    orders: list
    trades: list
    equity: list
    cash: list
    positions: list


def simulate(open, high, low, close, *, rules, entries=None, exits=None, short_entries=None, short_exits=None,
             weights=None, periods_per_year=252.0):  # fmt: skip
    """What `tapebook.strategy.simulation.simulate` answers for one pot; lists of T rows by N symbols."""
    return Account(open, high, low, close, rules, periods_per_year).run(
        decisions(rules, entries, exits, short_entries, short_exits, weights, len(close), len(close[0]))
    )


def decisions(rules, entries, exits, short_entries, short_exits, weights, T, N):
    """For each row and symbol: None, a target weight, or the set of what to do."""
    table = [[None] * N for _ in range(T)]
    for t in range(T):
        for n in range(N):
            if weights is not None:
                w = float(weights[t][n])
                if isnan(w):
                    continue
                if rules.direction == "long":
                    w = max(w, 0.0)
                if rules.direction == "short":
                    w = min(w, 0.0)
                table[t][n] = w
                continue
            enter, leave = bool(entries[t][n]), bool(exits[t][n])
            if short_entries is None:
                direction = rules.direction or "long"
                does = {
                    "long": (enter, leave, False, False),
                    "short": (False, False, leave, enter),
                    "both": (enter, False, leave, False),
                }[direction]
            else:
                direction = rules.direction or "both"
                short, cover = bool(short_entries[t][n]), bool(short_exits[t][n])
                does = {
                    "long": (enter, leave, False, False),
                    "short": (False, False, short, cover),
                    "both": (enter, leave, short, cover),
                }[direction]
            le, lx, se, sx = does
            if le and lx:
                le = lx = False
            if se and sx:
                se = sx = False
            if le and se:
                le = se = False
            wanted = {
                name for name, said in zip(("le", "lx", "se", "sx"), (le, lx, se, sx), strict=True) if said
            }
            table[t][n] = wanted or None
    return table


class Account:
    def __init__(self, open, high, low, close, rules, year):
        self.T, self.N = len(close), len(close[0])
        self.close = close
        self.open = [
            [c if isnan(o) else o for o, c in zip(*rows, strict=True)]
            for rows in zip(open, close, strict=True)
        ]
        self.high = [[self.top(t, n, high) for n in range(self.N)] for t in range(self.T)]
        self.low = [[self.bottom(t, n, low) for n in range(self.N)] for t in range(self.T)]
        self.rules, self.year = rules, year
        self.cash = rules.cash
        self.held = [Position() for _ in range(self.N)]
        self.mark = [0.0] * self.N
        self.orders, self.trades = [], []

    def top(self, t, n, high):
        return max(self.open[t][n], self.close[t][n]) if isnan(high[t][n]) else high[t][n]

    def bottom(self, t, n, low):
        return min(self.open[t][n], self.close[t][n]) if isnan(low[t][n]) else low[t][n]

    def there(self, t, n):
        return not isnan(self.close[t][n])

    def run(self, decided):
        equity, cash, positions = [], [], []
        same_close = self.rules.execution == "same_close"
        for t in range(self.T):
            if not same_close:
                self.carry_out(t, self.open)
            for n in range(self.N):
                if self.held[n].units != 0 and self.there(t, n):
                    self.live_through(t, n)
            if same_close:
                self.decide(t, decided)
                self.carry_out(t, self.close)
            for n in range(self.N):
                if self.there(t, n):
                    self.mark[n] = self.close[t][n]
            equity.append(self.cash + sum(p.units * m for p, m in zip(self.held, self.mark, strict=True)))
            cash.append(self.cash)
            positions.append([p.units for p in self.held])
            if not same_close:
                self.decide(t, decided)
        for n in range(self.N):
            if self.held[n].units != 0:
                self.book(n, self.T - 1, "end", "open")
        self.trades.sort(key=lambda trade: (trade.entry_row, trade.symbol))
        return Answer(self.orders, self.trades, equity, cash, positions)

    def decide(self, t, decided):
        for n in range(self.N):
            if decided[t][n] is not None:
                self.held[n].waiting = (decided[t][n], t)

    # ---- trading

    def worth(self, t, prices):
        """Equity and gross exposure at this row's prices; a symbol that is not there at its last close."""
        marks = [prices[t][n] if self.there(t, n) else self.mark[n] for n in range(self.N)]
        value = [p.units * m for p, m in zip(self.held, marks, strict=True)]
        return self.cash + sum(value), sum(abs(v) for v in value)

    def carry_out(self, t, prices):
        due = [n for n in range(self.N) if self.held[n].waiting is not None and self.there(t, n)]
        equity, _ = self.worth(t, prices)
        wishes = {}
        for n in due:
            what, row = self.held[n].waiting
            units, q = self.held[n].units, prices[t][n]
            if isinstance(what, float):
                target = self.whole(what * equity / q) if equity > 0 else 0.0
                if units != 0 and (target == 0 or (target > 0) != (units > 0)):
                    self.trade(t, n, -units, q, self.rules.slippage, "signal", row)
                    wishes[n] = target
                elif abs(target - units) * q <= 1e-9 * equity:
                    pass  # rounding, no order
                elif abs(target) < abs(units):
                    self.trade(t, n, target - units, q, self.rules.slippage, "signal", row)
                else:
                    wishes[n] = target - units
            elif units > 0:
                if "se" in what or "lx" in what:
                    self.trade(t, n, -units, q, self.rules.slippage, "signal", row)
                if "se" in what:
                    wishes[n] = -1
            elif units < 0:
                if "le" in what or "sx" in what:
                    self.trade(t, n, -units, q, self.rules.slippage, "signal", row)
                if "le" in what:
                    wishes[n] = 1
            elif "le" in what:
                wishes[n] = 1
            elif "se" in what:
                wishes[n] = -1
        self.open_all(t, prices, wishes)
        for n in due:
            self.held[n].waiting = None

    def open_all(self, t, prices, wishes):
        r = self.rules
        equity, exposure = self.worth(t, prices)
        power = equity - exposure
        units, cost, spend = {}, {}, {}
        for n, wish in wishes.items():
            if wish == 0:
                continue
            q = prices[t][n]
            cost[n] = q * (1 + r.slippage if wish > 0 else 1 - r.slippage) * (1 + r.fees)
            units[n] = self.wanted(t, n, wish, q, cost[n], equity)
            if units[n] > 0:
                spend[n] = units[n] * cost[n] + r.fixed_fee
        total = sum(spend.values())
        if total > 0 and total > power * (1 + 1e-12):
            share = max(power, 0.0) / total
            units = {n: (spend[n] * share - r.fixed_fee) / cost[n] for n in spend}
        for n in spend:
            u = self.whole(units[n])
            if u * prices[t][n] > 1e-9 * equity:
                side = 1 if wishes[n] > 0 else -1
                self.trade(t, n, side * u, prices[t][n], r.slippage, "signal", self.held[n].waiting[1])

    def wanted(self, t, n, wish, q, cost, equity):
        r, (what, row) = self.rules, self.held[n].waiting
        if isinstance(what, float):
            return abs(wish)
        if r.sizing == "percent":
            size = 1 / self.N if r.size is None else r.size
            return (size * equity - r.fixed_fee) / cost
        if r.sizing == "value":
            return r.size / q
        if r.sizing == "units":
            return r.size
        risk = self.volatility(row, n)
        return 0.0 if isnan(risk) or risk == 0 else r.size / risk * equity / q

    def volatility(self, row, n):
        own = [self.close[t][n] for t in range(row + 1) if self.there(t, n)]
        returns = [b / a - 1 for a, b in zip(own[:-1], own[1:], strict=True)][-self.rules.volatility_bars :]
        if len(returns) < self.rules.volatility_bars:
            return nan
        mean = sum(returns) / len(returns)
        return sqrt(sum((x - mean) ** 2 for x in returns) / (len(returns) - 1)) * sqrt(self.year)

    def whole(self, units):
        if self.rules.fractional:
            return units
        lots = abs(units) / self.rules.lot
        return (1 if units > 0 else -1) * floor(lots) * self.rules.lot

    def trade(self, t, n, units, q, slippage, reason, decided):
        r, position = self.rules, self.held[n]
        price = q * (1 + slippage) if units > 0 else q * (1 - slippage)
        order = Order(
            t,
            n,
            units,
            price,
            abs(units) * price * r.fees + r.fixed_fee,
            abs(price - q) * abs(units),
            reason,
            decided,
        )
        self.orders.append(order)
        self.cash -= units * price + order.fees
        opening = position.units == 0 or (position.units > 0) == (units > 0)
        if position.units == 0:
            position.orders, position.seen, position.peak, position.mean = [], [price], price, 0.0
        if opening:
            before = abs(position.units)
            position.mean = (position.mean * before + price * abs(units)) / (before + abs(units))
        position.orders.append(order)
        position.units += units
        if position.units == 0:
            position.seen.append(price)
            self.book(n, t, reason, "closed")

    def book(self, n, t, reason, status):
        position = self.held[n]
        first = position.orders[0]
        side = 1 if first.units > 0 else -1
        fills = [o for o in position.orders if (o.units > 0) == (first.units > 0)]
        units = sum(abs(o.units) for o in fills)
        entry = sum(abs(o.units) * o.price for o in fills) / units
        fees = sum(o.fees for o in position.orders)
        pnl = -sum(o.units * o.price for o in position.orders) - fees + position.units * self.mark[n]
        moves = [side * (price / entry - 1) for price in position.seen]
        self.trades.append(
            Trade(
                n, "long" if side > 0 else "short", first.row, t, units, entry, fees, pnl,
                pnl / (units * entry), min(0.0, *moves), max(0.0, *moves), status, reason,
            )
        )  # fmt: skip

    # ---- stops

    def live_through(self, t, n):
        """Check the stops of a held position against bar t; what is still held has seen the whole bar."""
        position, r = self.held[n], self.rules
        long = position.units > 0
        start, high, low = self.open[t][n], self.high[t][n], self.low[t][n]
        side = 1 if long else -1
        levels = []
        if r.stop_loss is not None:
            levels.append((position.mean * (1 - side * r.stop_loss), "stop"))
        if r.trailing_stop is not None:
            levels.append((position.peak * (1 - side * r.trailing_stop), "trailing"))
        tight = None
        for level in levels:
            if tight is None or side * level[0] > side * tight[0]:
                tight = level
        target = None if r.take_profit is None else position.mean * (1 + side * r.take_profit)
        worst, best = (low, high) if long else (high, low)
        if tight is not None and side * start <= side * tight[0]:
            return self.trade(t, n, -position.units, start, r.slippage, tight[1], t)
        if target is not None and side * start >= side * target:
            return self.trade(t, n, -position.units, start, 0.0, "target", t)
        if tight is not None and side * worst <= side * tight[0]:
            position.seen.append(start)
            return self.trade(t, n, -position.units, tight[0], r.slippage, tight[1], t)
        if target is not None and side * best >= side * target:
            position.seen += [start, worst]
            return self.trade(t, n, -position.units, target, 0.0, "target", t)
        position.seen += [high, low]
        position.peak = max(position.peak, high) if long else min(position.peak, low)
        return None
