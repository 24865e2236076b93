"""What Ipopt's return codes mean here."""

from collections.abc import Mapping

from mecdsl.solution import Termination

NO_FREE_VARIABLE = 100
"""Status of our own: the bounds leave one point, or none, and Ipopt was not called."""

STATUS: Mapping[int, tuple[str, Termination, str]] = {
    0: ("Solve_Succeeded", Termination.LOCALLY_OPTIMAL, ""),
    1: (
        "Solved_To_Acceptable_Level",
        Termination.LOCALLY_OPTIMAL,
        "first-order conditions hold only to the acceptable tolerance, not to the one asked for",
    ),
    2: (
        "Infeasible_Problem_Detected",
        Termination.LOCALLY_INFEASIBLE,
        "converged to a point where the violation of the constraints is locally least",
    ),
    3: (
        "Search_Direction_Becomes_Too_Small",
        Termination.ERROR,
        "no further progress is possible; the point is not known to be optimal",
    ),
    4: (
        "Diverging_Iterates",
        Termination.INFEASIBLE_OR_UNBOUNDED,
        "iterates diverge: unbounded as far as a local solver can tell",
    ),
    5: ("User_Requested_Stop", Termination.INTERRUPTED, "stopped by the user"),
    6: ("Feasible_Point_Found", Termination.LOCALLY_OPTIMAL, "feasible point of a square system"),
    -1: ("Maximum_Iterations_Exceeded", Termination.ITERATION_LIMIT, ""),
    -2: (
        "Restoration_Failed",
        Termination.ERROR,
        "the restoration phase found no point with smaller violation; this proves nothing",
    ),
    -3: (
        "Error_In_Step_Computation",
        Termination.ERROR,
        "the search direction could not be computed",
    ),
    -4: ("Maximum_CpuTime_Exceeded", Termination.TIME_LIMIT, ""),
    -5: ("Maximum_WallTime_Exceeded", Termination.TIME_LIMIT, ""),
    -10: ("Not_Enough_Degrees_Of_Freedom", Termination.ERROR, "fewer variables than equalities"),
    -11: ("Invalid_Problem_Definition", Termination.ERROR, "the problem is not well defined"),
    -12: ("Invalid_Option", Termination.ERROR, "an option has a value that ipopt does not take"),
    -13: ("Invalid_Number_Detected", Termination.ERROR, "a function or derivative is not finite"),
    -100: ("Unrecoverable_Exception", Termination.ERROR, "ipopt failed"),
    -101: ("NonIpopt_Exception_Thrown", Termination.ERROR, "ipopt failed"),
    -102: ("Insufficient_Memory", Termination.ERROR, "out of memory"),
    -199: ("Internal_Error", Termination.ERROR, "ipopt failed"),
    NO_FREE_VARIABLE: ("No_Free_Variable", Termination.OPTIMAL, "the bounds leave a single point"),
}
KEEPS_LAST_POINT = frozenset({0, 1, 2, 3, 6})
"""Statuses whose final point is what the method was after; after any other the best point seen is
better.
"""

STALLED = frozenset({3, -1, -2, -3})
"""Statuses by which Ipopt gives up; at the limit of precision the point may be optimal all the
same.
"""
