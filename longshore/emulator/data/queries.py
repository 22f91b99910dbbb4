"""What `GetMetricData` and alarms ask for: a statistic of a metric, or arithmetic over such."""

import ast
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from longshore.emulator.data.series import Metric, Series, StatisticError
from longshore.emulator.errors import AwsError

Values = dict[int, float]
"""By the instant at which a period begins."""

_OPERATIONS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def metric_of(given: Mapping[str, Any]) -> Metric:
    """A metric from a shape that has `Namespace`, `MetricName` and `Dimensions`."""
    dimensions = [(each["Name"], each["Value"]) for each in given.get("Dimensions") or ()]
    return Metric.of(given["Namespace"], given["MetricName"], dimensions)


def check_period(period: int) -> int:
    """A period that CloudWatch has.

    Raises:
        AwsError: it is none.
    """
    if period not in {1, 5, 10, 20, 30} and period % 60:
        raise AwsError(
            "InvalidParameterValue", "The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60, in seconds."
        )
    return period


def period_of(queries: Iterable[Mapping[str, Any]]) -> int:
    """The longest period that some queries have."""
    found = [query["MetricStat"]["Period"] if "MetricStat" in query else query.get("Period", 0) for query in queries]
    return max(found) or 60


def values_of(series: Series, metric: Metric, statistic: str, span: tuple[float, float], period: int) -> Values:
    """A metric's statistic, by period.

    Raises:
        AwsError: there is no such statistic.
    """
    try:
        return {at: found.statistic(statistic) for at, found in series.read(metric, *span, period)}
    except StatisticError as error:
        raise AwsError("ValidationError", str(error)) from None


def answered(series: Series, queries: Iterable[Mapping[str, Any]], span: tuple[float, float]) -> dict[str, Values]:
    """Every query's values, by its id, whether or not they are to be returned.

    Raises:
        AwsError: a query cannot be answered.
    """
    queries = list(queries)
    known: dict[str, Values] = {}
    for query in queries:
        if "MetricStat" in query:
            stat = query["MetricStat"]
            metric, period = metric_of(stat["Metric"]), check_period(stat["Period"])
            known[query["Id"]] = values_of(series, metric, stat["Stat"], span, period)
    # An expression may stand before those that it names, but not name one that waits for itself.
    waiting = [query for query in queries if "Expression" in query]
    while waiting:
        ready = [query for query in waiting if _names(query["Expression"]) <= known.keys()]
        if not ready:
            raise _invalid(waiting[0]["Expression"])
        for query in ready:
            known[query["Id"]] = _evaluated(query["Expression"], known)
        waiting = [query for query in waiting if query not in ready]
    return known


def _names(expression: str) -> set[str]:
    return {node.id for node in ast.walk(_parsed(expression)) if isinstance(node, ast.Name)} - {"FILL"}


def _parsed(expression: str) -> ast.expr:
    try:
        return ast.parse(expression.strip(), mode="eval").body
    except SyntaxError:
        raise _invalid(expression) from None


def _evaluated(expression: str, known: Mapping[str, Values]) -> Values:
    found = _value(_parsed(expression), expression, known)
    if not isinstance(found, dict):
        raise _invalid(expression)
    return found


def _value(node: ast.expr, expression: str, known: Mapping[str, Values]) -> Values | float:
    """Values at every instant that both sides have; a division by zero has none there."""
    match node:
        case ast.Name(id=name):
            return known[name]
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _both(operator.sub, 0.0, _value(operand, expression, known))
        case ast.BinOp(left=left, op=symbol, right=right) if type(symbol) in _OPERATIONS:
            sides = _value(left, expression, known), _value(right, expression, known)
            return _both(_OPERATIONS[type(symbol)], *sides)
        case ast.Call(func=ast.Name(id="FILL"), args=[filled, ast.Constant(value=int() | float() as number)]):
            values = _value(filled, expression, known)
            instants = {at for other in known.values() for at in other}
            return values if isinstance(values, float) else {at: values.get(at, float(number)) for at in instants}
    raise _invalid(expression)


def _both(combine: Callable[[float, float], float], left: Values | float, right: Values | float) -> Values | float:
    if isinstance(left, float) and isinstance(right, float):
        return combine(left, right)
    here = left if isinstance(left, dict) else None
    there = right if isinstance(right, dict) else None
    instants = here.keys() & there.keys() if here is not None and there is not None else (here or there or {}).keys()
    found: Values = {}
    for at in instants:
        try:
            found[at] = combine(here[at] if here is not None else left, there[at] if there is not None else right)  # type: ignore[arg-type]
        except ZeroDivisionError:
            continue
    return found


def _invalid(expression: str) -> AwsError:
    known = "ids, numbers, + - * / ( ) and FILL(id, number)"
    return AwsError("ValidationError", f"Error in expression {expression!r}: the emulator knows {known}.")
