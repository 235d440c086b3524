"""The search: everything once, briefly; the best with other threads and queries; the very best at length."""

from __future__ import annotations

import dataclasses
import itertools
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone

from dcgan_edge.benchmarking import in_rounds
from dcgan_edge.errors import BenchmarkError, VerificationError
from dcgan_edge.files import write_atomic
from dcgan_edge.profile import NAME as PROFILE
from dcgan_edge.profile import Profile, Way
from dcgan_edge.runtime.bench.plan import BenchPlan
from dcgan_edge.runtime.bench.record import BenchReport, read_report
from dcgan_edge.words import count_words

from .candidates import Candidate, Subject, candidates_of, thread_counts
from .objective import Ranking, Wishes, front, usual_unless_faster
from .outcome import Row, Tuned
from .proofs import CandidateProof, Prover
from .record import NAME as RECORD
from .record import Conditions, SearchRecord
from .trials import Say, Trial, Workload, short_plan, take_trials

BENCH = "tuned.bench.json"  # the long rounds of the best, as `dcgan-edge report` reads them
KEPT = 4  # candidates that are tried with other threads and queries
FINALISTS = 3  # beside the base
FINAL_S = 3.0  # of each finalist at least
SEARCH_SHARE = 0.6  # of the most time; the rest is the final's
IDLE_S, ENERGY_IDLE_S = 0.1, 2.0  # at rest before the rounds; energy is what is above that


class Search:
    """A search for the best way to run `subjects`, whose first float32 file (else the first) is the base."""

    def __init__(
        self,
        subjects: Sequence[Subject],
        wishes: Wishes,
        say: Say,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read what an earlier run found. Raises UnavailableError where nothing runs an artifact here."""
        self.wishes, self.folder, self._say, self._clock = wishes, subjects[0].path.parent, say, clock
        self.subjects = list(subjects)
        self._begin = clock()
        self._candidates: list[Candidate] = []
        first = next((each for each in subjects if each.manifest.precision == "fp32"), subjects[0])
        self._counts = thread_counts(wishes.threads)
        self.base = self._ways(first)[0]
        self.workloads = wishes.workloads(subjects)
        conditions = Conditions.here(self.base, wishes.duration_s)
        self.record = SearchRecord(self.folder / RECORD, conditions)
        self.not_measured = 0
        self.refused: dict[str, str] = {}  # why some may not be chosen, by their names

    @property
    def _idle_s(self) -> float:
        return ENERGY_IDLE_S if self.wishes.objective == "energy" else IDLE_S

    @property
    def has_time(self) -> bool:
        """Whether another short trial may begin."""
        limit = self.wishes.max_time_s
        return limit is None or self._clock() - self._begin <= SEARCH_SHARE * limit

    @property
    def ranking(self) -> Ranking:
        """How trials are ranked."""
        sizes = {each.manifest.sha256: each.manifest.size for each in self.subjects}
        rates = {
            workload: statistics.median(
                each.base_images_per_second for each in self.record.trials if each.workload == workload
            )
            for workload in {each.workload for each in self.record.trials}
        }
        return Ranking(self.wishes.objective, sizes, rates)

    def survey(self, subjects: Sequence[Subject]) -> None:
        """Prove every way to run `subjects`, and measure those that pass, briefly, beside the base."""
        self.subjects += [each for each in subjects if each not in self.subjects]
        ranks = itertools.zip_longest(*(self._ways(each) for each in subjects))  # what is usual comes first
        found = [candidate for rank in ranks for candidate in rank if candidate is not None]
        found.sort(key=lambda each: each != self.base)
        self._candidates += found
        self._prove(found)
        self._measure([(each, self.workloads[0]) for each in found if self._passed(each)])

    def refine(self) -> None:
        """Measure the best of the survey with other numbers of threads, and under the other workloads."""
        best = self.ranking.best_first(self._accepted())
        kept = list(dict.fromkeys(trial.candidate.on(None) for trial in best))[:KEPT]
        self._measure([
            (each.on(threads), workload)
            for workload in self.workloads
            for each in kept
            for threads in self._threads(each)
        ])  # fmt: skip

    def finish(self) -> Tuned:
        """Measure the best at length, choose, and write the profile.

        Raises VerificationError when no candidate passed its gates, BenchmarkError when none was measured.
        """
        accepted = self.ranking.best_first(self._accepted())
        if not accepted and self.not_measured:
            raise BenchmarkError(
                "The time passed before anything was measured. With more --max-time it goes on from here."
            )
        if not accepted:
            raise VerificationError(f"Nothing makes the right images here: {self._refusals()}.")
        workload = accepted[0].workload
        here = [each.candidate for each in accepted if each.workload == workload]
        finalists = self._with_usual(here[:FINALISTS])
        finals, report = self._final(finalists, workload)
        first = finals[0] if self._passed(self.base) else None
        allowed = [each for each in finals if self._passed(each.candidate)]
        choice, because = self.ranking.choice(allowed, first)
        profile = self._profile(choice, finals, because)
        path = self.folder / PROFILE
        write_atomic(path, profile.to_json().encode())
        return Tuned(
            profile, path, self._rows(choice, finals), str(self.base), because, self.refused,
            self.not_measured, report,
        )  # fmt: skip

    def best_of(self, precision: str) -> Subject | None:
        """Return the artifact of `precision` that ranks first so far, None where there is none."""
        by_hash = {each.manifest.sha256: each for each in self.subjects}
        ranked = (by_hash[trial.candidate.sha256] for trial in self.ranking.best_first(self._accepted()))
        return next((each for each in ranked if each.manifest.precision == precision), None)

    def _ways(self, subject: Subject) -> list[Candidate]:
        """Return the ways to run `subject` with the first number of threads."""
        return candidates_of(subject, self.wishes.backends, self.wishes.device, self._counts[0])

    def _threads(self, candidate: Candidate) -> tuple[int | None, ...]:
        """Return the numbers of threads that `candidate` is tried with."""
        return self._counts if candidate.device == "cpu" else (None,)

    def _prove(self, candidates: Sequence[Candidate]) -> None:
        prover = Prover(self.subjects)
        for place, each in enumerate(candidates, start=1):
            if self.record.proof(each) is None:
                self._say(f"proving {place} of {len(candidates)}: {each}")
                self.record.add(prover.prove(each))
            if why := self._proof(each).refused:
                self.refused[str(each)] = why

    def _passed(self, candidate: Candidate) -> bool:
        proof = self.record.proof(candidate)
        return proof is not None and not proof.refused

    def _measure(self, wanted: Sequence[tuple[Candidate, Workload]]) -> None:
        """Take each trial that there is not yet, as long as there is time."""
        for place, (candidate, workload) in enumerate(wanted, start=1):
            if self.record.trial(candidate, workload) is not None:
                continue
            if not self.has_time:
                self.not_measured += 1
                continue
            self._say(f"measuring {place} of {len(wanted)}: {candidate}, {workload}")
            plan = short_plan(workload, self.wishes.duration_s, idle_s=self._idle_s)
            trials, _ = take_trials(self.folder, self.base, [candidate], workload, plan, self._say)
            self.record.add(*(each for each in trials if self._is_new(each)))

    def _is_new(self, trial: Trial) -> bool:
        return self.record.trial(trial.candidate, trial.workload, final=trial.final) is None

    def _accepted(self) -> list[Trial]:
        """The short trials of what takes part and has passed, under the workloads that are asked for."""
        taking_part = {each.on(None) for each in self._candidates}
        return [
            trial
            for trial in self.record.trials
            if trial.candidate.on(None) in taking_part
            and trial.candidate.threads in self._threads(trial.candidate)
            and trial.workload in self.workloads
            and not trial.final
            and self._passed(trial.candidate)
        ]

    def _with_usual(self, finalists: Sequence[Candidate]) -> list[Candidate]:
        """Add how the smallest artifact runs by itself, which its other ways must beat if size decides."""
        if self.wishes.objective != "size":
            return list(finalists)
        usual = next(each for each in self._candidates if each.sha256 == finalists[0].sha256)
        same = [each for each in finalists if each.sha256 == usual.sha256]
        return list(dict.fromkeys([usual, *same]))

    def _final(
        self, finalists: Sequence[Candidate], workload: Workload
    ) -> tuple[list[Trial], BenchReport | None]:
        """Return the trials of base and finalists, measured together and at length, the base's first."""
        everyone = list(dict.fromkeys([self.base, *finalists]))
        earlier = [self.record.trial(each, workload, final=True) for each in everyone]
        path = self.folder / BENCH
        if all(earlier):
            return [each for each in earlier if each], read_report(path) if path.is_file() else None
        self._say(f"measuring {count_words(len(everyone), 'candidate')} at length: {workload}")
        length = max(FINAL_S, self.wishes.duration_s)
        limit = self.wishes.max_time_s
        left = None if limit is None else max(length, limit - (self._clock() - self._begin))
        plan = BenchPlan((workload.batch,), (workload.streams,), length, max_time_s=left, idle_s=self._idle_s)
        rounds = in_rounds(plan, len(everyone))
        finals, report = take_trials(
            self.folder, self.base, everyone[1:], workload, rounds, self._say, final=True
        )
        write_atomic(path, report.to_json().encode())
        self.record.add(*finals)
        return finals, report

    def _profile(self, choice: Trial, finals: Sequence[Trial], because: str) -> Profile:
        ways = [self._way(choice)]
        for trial in self.ranking.best_first(self._accepted()):
            if trial.candidate.sha256 not in {way.sha256 for way in ways}:
                ways.append(self._way(self._best_way(trial)))
        facts = {
            "base": str(self.base),
            "because": because,
            "measured": len(self.record.trials),
            "not_measured": self.not_measured,
            "refused": self.refused,
        }
        date = datetime.now(timezone.utc).isoformat(timespec="seconds")
        machine = self.record.conditions.machine
        return Profile(self.wishes.objective, machine, tuple(ways), date, facts)

    def _best_way(self, best: Trial) -> Trial:
        """Return `best`, or how its artifact runs by itself if it is not clearly faster than that."""
        same = [
            each
            for each in self._accepted()
            if each.candidate.sha256 == best.candidate.sha256 and each.workload == best.workload
        ]
        usual = next(each for each in self._candidates if each.sha256 == best.candidate.sha256)
        same.sort(key=lambda each: each.candidate != usual)
        return usual_unless_faster(same, best)

    def _way(self, trial: Trial) -> Way:
        proof = self._proof(trial.candidate)
        figures = dataclasses.asdict(trial)
        evidence = {key: figures[key] for key in figures if key not in ("candidate", "workload")}
        kept = ("psnr_db", "kid", "kid_allowed", "kid_from")
        evidence |= {key: value for key, value in dataclasses.asdict(proof).items() if key in kept}
        candidate, workload = trial.candidate, trial.workload
        return Way(
            candidate.file, candidate.sha256, candidate.backend, proof.version, candidate.device,
            proof.device_name, candidate.threads, workload.batch, workload.streams, evidence,
        )  # fmt: skip

    def _proof(self, candidate: Candidate) -> CandidateProof:
        proof = self.record.proof(candidate)
        assert proof is not None  # what was measured was proven
        return proof

    def _rows(self, choice: Trial, finals: Sequence[Trial]) -> tuple[Row, ...]:
        """Every accepted trial, the best first, the long one where there are two."""
        long = {(each.candidate, each.workload): each for each in finals}
        trials = [long.get((each.candidate, each.workload), each) for each in self._accepted()]
        ranking = self.ranking
        trials = ranking.best_first(trials)
        facts = [
            (
                ranking.images_per_second(each),
                ranking.sizes[each.candidate.sha256],
                self._proof(each.candidate).psnr_db,
                each.joules_per_image,
            )
            for each in trials
        ]
        return tuple(
            Row(trial, self._proof(trial.candidate), fact[0], fact[1], on_front, trial == choice)
            for trial, fact, on_front in zip(trials, facts, front(facts), strict=True)
        )

    def _refusals(self) -> str:
        return "; ".join(f"{name}: {why}" for name, why in self.refused.items())
