"""How long the card lasts, by what is written to it in a day. Pure, and silent until it knows.

Nobody can see from outside how much a card writes inside for each byte that it is given, so the answer is a range.
"""
UNRATED_WRITES_N = 300              # a card whose maker promises nothing: so often its own size
AMPLIFICATION = (3.0, 1.2)          # bytes written inside for each one given, at worst and at best
LIFE_DAYS_MAX = 36_500.0
TB = 1_000_000_000_000


def life_days(total_b: int | None, rated_tb: float, b_per_day: float | None) -> tuple[float, float] | None:
    """Days until a new card of this size is worn out, at worst and at best; None when unknown.

    `rated_tb` are the terabytes that its maker promises, 0 where there is no such promise.
    """
    if not total_b or b_per_day is None or b_per_day < 0:
        return None
    endurance_b = rated_tb * TB if rated_tb else total_b * UNRATED_WRITES_N
    worst, best = (min(endurance_b / max(b_per_day * factor, 1), LIFE_DAYS_MAX) for factor in AMPLIFICATION)
    return worst, best
