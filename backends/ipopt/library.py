"""The libraries that run Ipopt's method on callbacks: cyipopt, and others with its interface."""

from collections.abc import Mapping
from typing import Any, Protocol

from mecdsl.backends.nlp.problem import NlpProblem, Vector
from mecdsl.backends.shared.solver_output import solver_output

Options = Mapping[str, str | float | int | bool]


class Library(Protocol):
    """What differs between the libraries.

    `name`: of the backend; `title`: in messages. `looks`: it notices derivatives that are not
    finite itself.
    """

    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str: ...

    @property
    def looks(self) -> bool: ...

    def versions(self) -> Mapping[str, str]:
        """The versions of the library, that of the method first. Raises ImportError."""

    def opened(
        self, callbacks: Any, problem: NlpProblem, rows: tuple[Vector, Vector], own: Options
    ) -> Any:
        """A handle for the problem with the lower and upper bounds of its rows and options."""

    def with_raw(self, handle: Any, raw: Options) -> None:
        """Set options of a user. Raises ValueError for one it does not know or take."""

    def iterate(self, handle: Any, last: Vector | None) -> Mapping[str, Vector] | None:
        """The current iterate: `x`, `g` and multipliers `mult_g`, `mult_x_L`, `mult_x_U`, as far as
        they are known. `last`: where a gradient was asked for last.
        """


class Cyipopt:
    """Ipopt itself, through cyipopt."""

    name, title, looks = "ipopt", "Ipopt", True

    def versions(self) -> Mapping[str, str]:
        """Of Ipopt and of cyipopt. Raises ImportError."""
        import cyipopt

        library = ".".join(str(part) for part in cyipopt.IPOPT_VERSION)
        return {"ipopt": library, "cyipopt": cyipopt.__version__}

    def opened(
        self, callbacks: Any, problem: NlpProblem, rows: tuple[Vector, Vector], own: Options
    ) -> Any:
        """A `cyipopt.Problem`."""
        import cyipopt

        handle = cyipopt.Problem(
            n=problem.variable_count,
            m=problem.constraint_count,
            problem_obj=callbacks,
            lb=problem.lower,
            ub=problem.upper,
            cl=rows[0],
            cu=rows[1],
        )
        for name, value in own.items():
            _set(handle, name, value)
        return handle

    def with_raw(self, handle: Any, raw: Options) -> None:
        """Set options, in silence: a wrong one makes ipopt print, whatever its print level."""
        with solver_output():
            for name, value in raw.items():
                _set(handle, name, value)

    def iterate(self, handle: Any, last: Vector | None) -> Mapping[str, Vector] | None:
        """All of it."""
        found: Mapping[str, Vector] | None = handle.get_current_iterate()
        return found


def candidates(value: str | float | int | bool) -> tuple[object, ...]:
    """A value in the types that may be meant: Ipopt tells `1` from `1.0` and knows no booleans;
    users need not care.
    """
    match value:
        case bool():
            return ("yes" if value else "no",)
        case int():
            return (value, float(value))
        case float() if value.is_integer():
            return (float(value), int(value))
        case _:
            return (value,)


def _set(handle: Any, name: str, value: str | float | int | bool) -> None:
    for candidate in candidates(value):
        try:
            handle.add_option(name, candidate)
        except TypeError:  # cyipopt's word for any refusal
            continue
        return
    raise ValueError(f"ipopt has no option `{name}` that takes `{value}`")
