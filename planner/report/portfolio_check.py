"""What a portfolio file asks for, without solving it."""

from __future__ import annotations

from collections.abc import Iterator

from planner.portfolio.instance import Portfolio
from planner.units import counted, format_money


def check_lines(portfolio: Portfolio) -> Iterator[str]:
    """Jobs, pools, terms, budgets and notes."""
    last, jobs = portfolio.date(portfolio.days - 1), portfolio.jobs
    optional, teams = sum(job.is_optional for job in jobs), counted(len(portfolio.teams), "team")
    name = portfolio.name or "portfolio"
    yield f"{name}: {counted(len(jobs), 'job')} of {teams}, {optional} of them optional, {portfolio.start} to {last}"
    for pool in portfolio.pools:
        terms = {one.name for one in pool.commitments}
        sold = f", commitments {', '.join(sorted(terms))}" if terms else ""
        low, high = min(pool.usd_per_node_hour), max(pool.usd_per_node_hour)
        price = format_money(low) if low == high else f"{format_money(low)}–{format_money(high)}"
        nodes = f"{int(pool.nodes.max(initial=0)):,} nodes of {counted(pool.gpus_per_node, 'GPU')}"
        yield f"  pool {pool.name}: {nodes}, {price} a node-hour{sold}"
    for job in jobs:
        modes = sum(len(phase.modes) for phase in job.phases)
        yield f"  job {job.name}: {counted(len(job.phases), 'phase')}, {counted(modes, 'mode')}"
    for note in portfolio.notes:
        yield f"  {note}"
    yield "the file is right"
