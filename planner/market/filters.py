"""What a problem names on the market: a cloud, region, zone, instance type, accelerator or own offer."""

from __future__ import annotations

from collections.abc import Sequence

from planner.catalog.accelerators import accelerator_from
from planner.catalog.capacity import peer_to_peer_clouds
from planner.catalog.offers import load_offers, usable
from planner.catalog.records import Offer
from planner.errors import InputError, Issue, did_you_mean
from planner.prices.book import USER, offers_with, user_book
from planner.problem.problem import Problem
from planner.problem.yaml_tree import KeyPath


def offers_of(problem: Problem) -> tuple[Offer, ...]:
    """The catalog's offers under the problem's books of own prices. Raises InputError."""
    books = problem.market.prices
    if not books:
        return load_offers()
    with problem.at("market", "prices"):
        return offers_with([user_book() if name == USER else problem.base_directory / name for name in books])


def is_asked_for(problem: Problem, cloud: str) -> bool:
    """Whether a cloud is looked at: other people's hosts only where the problem asks for them."""
    market = problem.market
    if market.clouds is not None:
        return cloud in market.clouds
    return market.peer_to_peer or cloud not in peer_to_peer_clouds()


def named(problem: Problem, path: KeyPath, names: Sequence[str]) -> frozenset[str]:
    """The names in a list at a path as the catalogs spell them. Raises InputError for those that nothing has."""
    known = _known_names(problem)
    found, issues = set(), []
    for index, name in enumerate(names):
        resolved = name if name in known else _accelerator(problem, name)
        if resolved is None:
            place = problem.place(*path, index)
            message = f"{name!r} is no cloud, region, zone, instance type, accelerator or own offer"
            issues.append(Issue(message, place, did_you_mean(name, sorted(known))))
        else:
            found.add(resolved)
    if issues:
        raise InputError(issues)
    return frozenset(found)


def check_regions(problem: Problem) -> None:
    """Refuses regions that no offer has. Raises InputError."""
    known = sorted({offer.region for offer in usable(offers_of(problem)) if is_asked_for(problem, offer.cloud)})
    unknown = [(index, one) for index, one in enumerate(problem.market.regions or ()) if one not in known]
    if unknown:
        raise InputError(
            Issue(f"unknown region {one!r}", problem.place("market", "regions", index), did_you_mean(one, known))
            for index, one in unknown
        )


def _known_names(problem: Problem) -> frozenset[str]:
    """Every name that an offer goes by."""
    found = {one.name for one in problem.market.offers}
    for offer in usable(offers_of(problem)):
        found |= {offer.cloud, offer.region, *offer.zone.split(), offer.instance_type, offer.accelerator}
    return frozenset(found - {""})


def _accelerator(problem: Problem, name: str) -> str | None:
    """An accelerator's name in the catalog, from a usual spelling of it."""
    try:
        return accelerator_from(name, problem.base_directory).name
    except InputError:
        return None
