"""The claims of the NOMA paper, figure by figure, on the assumed values of `models/noma.mec`.

    uv run python -m tests.claims.noma [figure ...] [--seeds 1..5]

Figures are `setup`, `2` to `11`, `methods`, `ligd`, `corollary2` and `corollary5`; for corollary 4
there is `python -m tests.benchmarks.noma`. Numbers are medians over the seeds, in brackets their range.
"latency" and "energy" are those of all users with the base scheme over those with the scheme, so
that above 1 the scheme is better; energy is also that of edge servers and access points. ECC and
ECC-NOMA are found by `noma-greedy` without a proof, "gap" is the distance of the cost to that of
`noma-bound`; in rows marked `exact` they are proven optima of `noma-exact`.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from tests.claims.noma_cases import Case, Studies
from tests.claims.noma_corollaries import corollary_2, corollary_5, li_gd, methods
from tests.claims.tables import percent, print_figures, spread

WEIGHTS = (0.0, 0.01, 0.02, 0.03, 0.05, 0.1, 0.5)  # wE in 1/J
NETWORKS = ("nin", "tiny_yolov2", "vgg16")
OTHERS = ("Edge-Only", "Neurosurgeon", "DNN surgeon")
OURS = ("ECC", "ECC-NOMA")
BASE = "Device-Only"
FEW = Case(access_points=2, users_each=4, subchannels=4, method="exact")


def each_network() -> list[tuple[list[str], Case]]:
    """One and three users on a subchannel, over networks and, for NiN, energy weights; then few
    users with a proof.
    """
    found = []
    for subchannels in (12, 4):
        cases = [Case(subchannels=subchannels, energy_weight=weight) for weight in WEIGHTS]
        cases += [
            Case(subchannels=subchannels, energy_weight=weight, network=network)
            for network in NETWORKS[1:]
            for weight in (0.02, 0.1)
        ]
        found += [([f"60 users, M {subchannels}"], case) for case in cases]
    for subchannels in (4, 2):
        case = replace(FEW, subchannels=subchannels)
        found += [
            ([f"exact: 8 users, M {subchannels}"], replace(case, energy_weight=weight))
            for weight in (0.0, 0.02, 0.1, 0.5)
        ]
    return [([*name, case.network, f"{case.energy_weight:g}"], case) for name, case in found]


def over_networks(
    studies: Studies, base: str, schemes: Sequence[str], what: str
) -> list[list[str]]:
    """What a base needs over what schemes need, for `each_network`."""
    lines = [["", "network", "wE", *schemes]]
    for name, case in each_network():
        lines.append(
            [*name, *(spread(studies.ratio(case, base, scheme, what)) for scheme in schemes)]
        )
    return lines


def setup(studies: Studies) -> list[list[str]]:
    """The paper's size: who has company on a subchannel, and what NOMA is worth there."""
    gains = [f"{what} {scheme}" for what in ("latency", "energy") for scheme in OURS]
    gaps = [f"gap {scheme}" for scheme in OURS]
    worth = ["OMA/NOMA cost", "OMA/NOMA time"]
    lines = [["U", "M", "K", "network", "wE", "together", *worth, *gains, *gaps]]
    large = Case(users_each=250, subchannels=250)
    cases = [replace(large, network=network) for network in NETWORKS]
    cases += [replace(large, energy_weight=0.0), replace(large, subchannels=84)]
    cases += [replace(FEW, subchannels=8, most=1), FEW, replace(FEW, subchannels=2)]
    cases += [replace(FEW, subchannels=1, most=8)]
    for case in cases:
        users = case.access_points * case.users_each
        size = f"{users}{', exact' if case.method == 'exact' else ''}"
        setting = [case.subchannels, case.most, case.network, f"{case.energy_weight:g}"]
        lines.append(
            [
                *(size, *map(str, setting)),
                percent(studies.values(case, "ECC-NOMA", "together")),
                *(spread(studies.ratio(case, *OURS, what), ".4g") for what in ("cost", "time")),
                *(
                    spread(studies.ratio(case, BASE, scheme, what))
                    for what in ("time", "energy")
                    for scheme in OURS
                ),
                *(percent(studies.gap(case, scheme)) for scheme in OURS),
            ]
        )
    return lines


def figure_2(studies: Studies) -> list[list[str]]:
    """latency against Device-Only."""
    return over_networks(studies, BASE, (*OTHERS, *OURS), "time")


def figure_3(studies: Studies) -> list[list[str]]:
    """energy against Device-Only."""
    return over_networks(studies, BASE, (*OTHERS, *OURS), "energy")


def figure_4(studies: Studies) -> list[list[str]]:
    """latency against Neurosurgeon."""
    return over_networks(studies, "Neurosurgeon", ("DNN surgeon", *OURS), "time")


def figure_5(studies: Studies) -> list[list[str]]:
    """energy against Neurosurgeon."""
    return over_networks(studies, "Neurosurgeon", ("DNN surgeon", *OURS), "energy")


def over_users(studies: Studies, what: str) -> list[list[str]]:
    """Users for each access point, at two bands."""
    schemes = ("Edge-Only", "Neurosurgeon", "DNN surgeon", *OURS)
    lines = [["band", "wE", "users each", *schemes, "local in ECC-NOMA"]]
    for band in (1e6, 10e6):
        for weight in (0.0, 0.1):
            for users in (10, 30, 50, 70, 90):
                case = Case(
                    access_points=3,
                    users_each=users,
                    subchannels=30,
                    bandwidth=band,
                    energy_weight=weight,
                )
                ratios = [spread(studies.ratio(case, BASE, scheme, what)) for scheme in schemes]
                name = [f"{band / 1e6:g} MHz", f"{weight:g}", str(users)]
                lines.append([*name, *ratios, percent(studies.values(case, "ECC-NOMA", "local"))])
    return lines


def figure_6(studies: Studies) -> list[list[str]]:
    """latency against Device-Only over users, 3 access points, M 30."""
    return over_users(studies, "time")


def figure_9(studies: Studies) -> list[list[str]]:
    """energy against Device-Only over users, 3 access points, M 30."""
    return over_users(studies, "energy")


def over_subchannels(studies: Studies, what: str) -> list[list[str]]:
    """Subchannels of a band that stays as it is: 480 kHz for 12 users at each of 5 access points,
    160 kHz for 4 at each of 2.
    """
    schemes = (*OTHERS, *OURS)
    lines = [["", "wE", "M", *schemes]]
    many = Case(bandwidth=480e3, most=12)
    few = replace(FEW, bandwidth=160e3, most=4)
    for name, case in (("60 users", many), ("exact: 8 users", few)):
        for weight in (0.0, 0.1):
            for subchannels in (2, 3, 4, 6, 8, 12) if case is many else (1, 2, 3, 4, 6):
                at = replace(case, subchannels=subchannels, energy_weight=weight)
                ratios = [spread(studies.ratio(at, BASE, scheme, what)) for scheme in schemes]
                lines.append([name, f"{weight:g}", str(subchannels), *ratios])
    return lines


def figure_7(studies: Studies) -> list[list[str]]:
    """latency against Device-Only over M at the same band, K no limit."""
    return over_subchannels(studies, "time")


def figure_10(studies: Studies) -> list[list[str]]:
    """energy against Device-Only over M at the same band, K no limit."""
    return over_subchannels(studies, "energy")


def over_workloads(studies: Studies, what: str) -> list[list[str]]:
    """All work and all sizes times k."""
    schemes = ("Edge-Only", "Neurosurgeon", *OURS)
    against = "Device-Only of k 1 / ECC-NOMA"
    lines = [["", "k", *schemes, "changed from k 1 by at most", against]]
    for name, few in (("60 users, M 4", Case(subchannels=4)), ("exact: 8 users, M 2", FEW)):
        case = replace(few, subchannels=2) if few is FEW else few
        once = {scheme: studies.ratio(case, BASE, scheme, what) for scheme in schemes}
        device = studies.values(case, BASE, what)
        for load in (0.3, 1.0, 3.0, 10.0):
            at = replace(case, workload=load)
            ratios = {scheme: studies.ratio(at, BASE, scheme, what) for scheme in schemes}
            change = max(abs(ratios[scheme] / once[scheme] - 1.0).max() for scheme in schemes)
            lines.append(
                [
                    *(name, f"{load:g}"),
                    *(spread(ratio) for ratio in ratios.values()),
                    f"{change:.0e}",
                    spread(device / studies.values(at, "ECC-NOMA", what)),
                ]
            )
    return lines


def figure_8(studies: Studies) -> list[list[str]]:
    """latency against Device-Only over the workload."""
    return over_workloads(studies, "time")


def figure_11(studies: Studies) -> list[list[str]]:
    """energy against Device-Only over the workload."""
    return over_workloads(studies, "energy")


FIGURES: Mapping[str, Callable[[Studies], list[list[str]]]] = {
    "setup": setup,
    "2": figure_2,
    "3": figure_3,
    "4": figure_4,
    "5": figure_5,
    "6": figure_6,
    "7": figure_7,
    "8": figure_8,
    "9": figure_9,
    "10": figure_10,
    "11": figure_11,
    "methods": methods,
    "ligd": li_gd,
    "corollary2": corollary_2,
    "corollary5": corollary_5,
}


def seeds_of(text: str) -> range:
    """`1..5`, or one seed."""
    first, dots, last = text.partition("..")
    try:
        found = range(int(first), int(last if dots else first) + 1)
    except ValueError:
        found = range(0)
    if not found:
        raise argparse.ArgumentTypeError(f"`{text}` are no seeds, write `1..5`")
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the studies of some figures and print their tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("figures", nargs="*", help=", ".join(FIGURES))
    parser.add_argument("--seeds", type=seeds_of, default=range(1, 6), metavar="1..5")
    chosen = parser.parse_args(arguments)
    unknown = [name for name in chosen.figures if name not in FIGURES]
    if unknown:
        parser.error(f"no figure `{unknown[0]}`; there are {', '.join(FIGURES)}")
    print_figures(FIGURES, chosen.figures or tuple(FIGURES), Studies(chosen.seeds))


if __name__ == "__main__":
    main()
