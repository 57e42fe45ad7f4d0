"""PromQL expressions, parsed: which metrics and labels they name."""

from collections.abc import Iterator
from typing import Any

import promql_parser


def parse(expr: str) -> Any:
    """The expression's tree. Raises ValueError where it is none. Grafana's variables stand for any
    value, its intervals for five minutes."""
    plain = expr.replace("$__rate_interval", "5m").replace("$camera", "x").replace("$worker", "x")
    return promql_parser.parse(plain)


def _nodes(node: Any) -> Iterator[Any]:
    yield node
    for name in ("lhs", "rhs", "expr", "args", "vector_selector"):
        child = getattr(node, name, None)
        for one in child if isinstance(child, list) else [child]:
            if one is not None and not isinstance(one, str):
                yield from _nodes(one)


def selectors(tree: Any) -> dict[str, set[str]]:
    """Names of the metrics, with the labels that selectors ask for."""
    found: dict[str, set[str]] = {}
    for node in _nodes(tree):
        if isinstance(node, promql_parser.VectorSelector):
            labels = {matcher.name for matcher in node.matchers.matchers}
            found.setdefault(str(node.name), set()).update(labels)
    return found


def groupings(tree: Any) -> Iterator[tuple[set[str], set[str]]]:
    """For each `by (...)` (nothing of ours says `without`): its labels, the metrics under it."""
    for node in _nodes(tree):
        if isinstance(node, promql_parser.AggregateExpr) and node.modifier:
            yield set(node.modifier.labels), set(selectors(node.expr))
