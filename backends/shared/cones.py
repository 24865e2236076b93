"""Where `x^2/y` stands so that a solver may replace it by a variable t with `t*y >= x^2`.

That is exact where a larger t never helps: in a minimised objective and on the small side of `<=`,
under sums and factors that data show to be nonnegative. The row is a convex cone and has the value
0 at x = y = 0, which the quotient has not.
"""

from mecdsl.instances.instance import Instance
from mecdsl.model import symbolic as sym

QUOTIENT = "quad_over_lin"


def only_upward(instance: Instance) -> bool:
    """Whether every quotient of an instance stands where a larger value never helps."""
    walk = _Walk(instance)
    sense = -1 if instance.maximize else 1
    sides = [(instance.model.objective.value, sense)]
    for family in instance.constraints:
        sign = family.relation.sign
        sides += [(family.constraint.left, sign), (family.constraint.right, -sign)]
    return all(walk.upward(expression, sign) for expression, sign in sides)


class _Walk:
    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.known: dict[int, bool] = {}

    def upward(self, expression: sym.Expression, sign: int) -> bool:
        """`sign`: 1 where a larger value of the expression never helps, -1 where a smaller one, 0
        unknown.
        """
        if not self._holds(expression):
            return True
        match expression:
            case sym.Function(name=name, arguments=arguments) if name == QUOTIENT:
                return sign > 0 and not any(self._holds(argument) for argument in arguments)
            case sym.Operation(operator="+", operands=operands):
                return all(self.upward(operand, sign) for operand in operands)
            case sym.Operation(operator="-", operands=(left, right)):
                return self.upward(left, sign) and self.upward(right, -sign)
            case sym.Operation(operator="neg", operands=(inner,)):
                return self.upward(inner, -sign)
            case sym.Operation(operator="*", operands=(left, right)):
                factor, inner = (left, right) if not self._holds(left) else (right, left)
                return self.upward(inner, sign * self._sign(factor))
            case sym.Operation(operator="/", operands=(inner, factor)):
                return self.upward(inner, sign * self._sign(factor))
            case sym.Aggregate(function="sum", body=body):
                return self.upward(body, sign)
            case sym.Choice(then=then, otherwise=otherwise):
                return self.upward(then, sign) and self.upward(otherwise, sign)
            case sym.Lookup(symbol=name):
                formula = self.instance.model.symbols[name].formula
                return formula is not None and self.upward(formula, sign)
            case _:
                return False

    def _holds(self, expression: sym.Expression) -> bool:
        """Whether a quotient of variables is in an expression, definitions followed."""
        if id(expression) not in self.known:
            self.known[id(expression)] = any(
                self._is_quotient(node) for node in sym.walk(expression)
            )
        return self.known[id(expression)]

    def _is_quotient(self, node: sym.Expression) -> bool:
        if self.instance.checked.shapes.is_data(node):
            return False
        if isinstance(node, sym.Function):
            return node.name == QUOTIENT
        if isinstance(node, sym.Lookup):
            formula = self.instance.model.symbols[node.symbol].formula
            return formula is not None and self._holds(formula)
        return False

    def _sign(self, factor: sym.Expression) -> int:
        """1 or -1 if data of one sign stand there, else 0."""
        match factor:
            case sym.Constant(value=value):
                return 1 if value >= 0 else -1
            case sym.Lookup(symbol=name) if name in self.instance.world.values:
                values = self.instance.world.values[name]
                return 1 if (values >= 0).all() else -1 if (values <= 0).all() else 0
            case sym.Operation(operator="*" | "/", operands=(left, right)):
                return self._sign(left) * self._sign(right)
            case _:
                return 0
