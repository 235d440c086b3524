"""What was not met, waited for or taken again in a benchmark, in words."""

from __future__ import annotations

from dcgan_edge.words import count_words

from .measurement import Measurement
from .ratios import Ratio


def precision_words(measurement: Measurement) -> list[str]:
    """Return in words that the interval of the median is wider than was aimed at, if it is."""
    goal, middle = measurement.course.precision_goal, measurement.median_ms
    if goal is None or middle.width <= goal:
        return []
    width = f"{middle.width:.1%} wide" if middle.bounded else "not bounded"
    return [f"the goal of {goal:.1%} was not met, the interval of its median is {width}"]


def ratio_words(ratio: Ratio) -> list[str]:
    """Return why a ratio is ambiguous, and why it should not be quoted, if that is so."""
    words = [f"ambiguous, because {ratio.because}"] if ratio.because else []
    if ratio.goal is not None and ratio.speed.width > ratio.goal:
        width = f"{ratio.speed.width:.1%} wide" if ratio.speed.bounded else "not bounded"
        words.append(f"the goal of {ratio.goal:.1%} was not met, the interval is {width}")
    others = [reason for reason in ratio.unstable_because if reason != ratio.because]
    return words + ([f"UNSTABLE, because {'; '.join(others)}"] if others else [])


def course_words(measurement: Measurement) -> list[str]:
    """Return what became of the rounds of a workload: waits, and rounds that were disturbed."""
    course, words = measurement.course, []
    reasons = "; ".join(course.disturbances)
    if course.waits:
        words.append(
            f"waited {course.waited_s:.1f} s for a quiet machine, before {count_words(course.waits, 'round')}"
        )
    if measurement.set_aside:
        count = len(measurement.set_aside)
        again = f"{count_words(count, 'round')} {'was' if count == 1 else 'were'}"
        words.append(f"{again} taken again, because {reasons}")
    if course.disturbed:
        words.append(f"{course.disturbed} of {len(measurement.rounds)} rounds were disturbed: {reasons}")
    return words
