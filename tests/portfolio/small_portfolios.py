"""Portfolios for tests: a year of two teams as text, and tiny random ones that can be enumerated."""

from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal
from pathlib import Path

import numpy as np

from planner.portfolio.compile import compiled
from planner.portfolio.file import PortfolioFile
from planner.portfolio.instance import Budgets, Commitment, JobPhase, Mode, Pool, Portfolio, PortfolioJob
from planner.problem.document import parse_document, with_overrides

YEAR = """\
schema: plan-portfolio/1
name: a year
calendar: {start: 2027-01-01, end: 2027-12-31, step: 1d}
budget: {total: $2M, quarters: {Q1: $900k}, teams: {vision: $1M}}
pools:
  - name: own
    gpus_per_node: 8
    nodes: 8
    price: $0.50/GPU-h
    closed: [{from: 2027-05-11, to: 2027-05-17, nodes: 4}]
  - {name: late, gpus_per_node: 8, nodes: 4, from: 2027-03-01}
  - name: cloud
    gpus_per_node: 8
    nodes: 16
    on_demand: [{price: $5.50/GPU-h}, {from: 2027-07-01, price: $4.75/GPU-h}]
    commitments: [{name: 3m, term: 91d, price: $3.30/GPU-h, most: 16, starts: [2027-01-01, 2027-04-01]}]
jobs:
  - name: ablation
    team: nlp
    phases: [{name: all, modes: [{pool: own, nodes: 2, duration: 200h}, {pool: cloud, nodes: 1, duration: 150h}]}]
  - name: base
    team: nlp
    release: 2027-02-01
    deadline: 2027-04-30
    late: $5k/day
    after: [ablation]
    phases:
      - {name: first, modes: [{pool: own, nodes: 8, duration: 900h}, {pool: cloud, nodes: 8, duration: 400h}]}
      - {name: second, modes: [{pool: late, nodes: 4, duration: 100h}, {pool: cloud, nodes: 2, duration: 90.5h}]}
  - name: moe
    team: vision
    optional: true
    value: $300k
    phases: [{name: all, modes: [{pool: cloud, nodes: 16, duration: 300h}, {pool: own, nodes: 4, duration: 2000h}]}]
  - name: running
    team: vision
    fixed: {pool: own, nodes: 2, start: 2027-01-01}
    phases: [{name: all, modes: [{pool: own, nodes: 2, duration: 500h}]}]
"""
"""Two teams, four jobs, three pools; jobs state their modes."""


def year_file(*sets: str, text: str = YEAR) -> PortfolioFile:
    """The year with overrides."""
    return PortfolioFile.of(with_overrides(parse_document(text, "year.yaml", Path()), sets))


def year(*sets: str) -> Portfolio:
    """The same in numbers."""
    return compiled(year_file(*sets))


def tiny(seed: int, *, commits: bool = False, days: int = 10, jobs: int = 3) -> Portfolio:
    """A random portfolio that can be enumerated."""
    chance = random.Random(seed)  # noqa: S311  (no secret)
    pools = [_pool(chance, number, days, commits=commits and number == 0) for number in range(2)]
    made: list[PortfolioJob] = []
    for number in range(jobs):
        phases = tuple(_phase(chance, name) for name in "ab"[: chance.choice([1, 1, 2])])
        optional = chance.random() < 0.4
        late = None if chance.random() < 0.3 else Decimal(chance.randrange(0, 60))
        before = [one for one in range(number) if chance.random() < 0.3 and (optional or not made[one].is_optional)]
        made.append(
            PortfolioJob(
                name=f"job {number}",
                team=chance.choice(["x", "y"]),
                phases=phases,
                release=chance.randrange(3),
                deadline=chance.randrange(3, days),
                late_usd_per_day=late,
                value_usd=Decimal(chance.randrange(20, 800)) if optional else None,
                after=tuple(before),
            )
        )
    total = Decimal(chance.randrange(200, 1500)) if chance.random() < 0.4 else None
    return Portfolio("tiny", dt.date(2027, 3, 28), days, tuple(pools), tuple(made), Budgets(total))


def _pool(chance: random.Random, number: int, days: int, *, commits: bool) -> Pool:
    """Two or three nodes, some of them away for a while, at a price that changes once."""
    nodes = np.full(days, chance.choice([2, 3]), dtype=np.int64)
    if chance.random() < 0.3:
        first = chance.randrange(days)
        nodes[first : first + 2] -= 1
    change = chance.randrange(days)
    before, after = (Decimal(chance.choice(["0.5", "1", "2.25", "4"])) for _ in range(2))
    terms: tuple[Commitment, ...] = ()
    if commits:
        start = chance.randrange(3)
        terms = (Commitment("term", start, days - start, before * Decimal("0.6"), (1,), 2, days),)
    return Pool(f"pool {number}", 8, nodes, (before,) * change + (after,) * (days - change), commitments=terms)


def _phase(chance: random.Random, name: str) -> JobPhase:
    """Up to three modes of up to two nodes and four days; the second keeps a quarter of its time in reserve."""
    modes = []
    for number in range(chance.choice([1, 2, 3])):
        hours = round(chance.uniform(5, 90), 2)
        reserve = hours / 4 if number == 1 else 0.0
        modes.append(Mode(chance.randrange(2), chance.choice([1, 2]), hours, hours - reserve, reserve_hours=reserve))
    return JobPhase(name, tuple(modes))
