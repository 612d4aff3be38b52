"""A language to screen by: `close > sma(200) and rsi(14) < 30 and volume > 2 * avg(volume, 20)`.

`grammar` reads it into `node`s, `kinds` checks types and units, `evaluate` computes it on every bar with the
indicators that strategies use (`words` lists what can be said), `hits` says what holds as of a day.
"""
