"""How long and how often everything is measured."""

import dataclasses

MIB = 2**20


@dataclasses.dataclass(frozen=True)
class Settings:
    """One of `full`, `short` and `quick`; the cells are the same but for quick, which only proves that they work."""

    name: str
    repetitions: int          # of the cell that is compared with peers and the limit
    other_repetitions: int    # of the other cells of B1
    seconds: float            # of each run
    sustained_seconds: int    # of the one long cell
    sizes: tuple              # of B1
    devices: tuple            # of B1
    both_encodings: bool      # B1's matrix raw as well, or compressed only
    slow_devices: int         # B4
    slow_plan: str
    slow_fast_seconds: float
    grains: tuple             # B5: bytes between cuts
    flaky_plan: str
    overload: tuple           # B6: multiples of the capacity
    overload_seconds: float
    faults_of_each: int       # B10: of each kind of fault
    rgw_crashes: int          # per run: radosgw's store is memory or a file of limited size


FULL = Settings("full", repetitions=5, other_repetitions=2, seconds=3, sustained_seconds=30, sizes=("256K", "2M", "16M"), devices=(1, 8, 32),
                both_encodings=True, slow_devices=200, slow_plan="4M", slow_fast_seconds=15,
                grains=(65536, 262144, MIB, 5 * MIB), flaky_plan="16M", overload=(1, 2, 3, 4), overload_seconds=10,
                faults_of_each=5, rgw_crashes=300)
SHORT = dataclasses.replace(FULL, name="short", repetitions=3, other_repetitions=1, seconds=2, sustained_seconds=20, devices=(8, 32),
                            both_encodings=False, slow_fast_seconds=10, grains=(262144, MIB), overload=(1, 4),
                            overload_seconds=8, faults_of_each=2)
QUICK = dataclasses.replace(FULL, name="quick", repetitions=1, other_repetitions=1, seconds=1, sustained_seconds=4, sizes=("256K", "2M"),
                            devices=(8,), both_encodings=False, slow_devices=30, slow_plan="512K", slow_fast_seconds=3,
                            grains=(65536, 262144), flaky_plan="2M", overload=(1, 4), overload_seconds=3, faults_of_each=1, rgw_crashes=30)

# The cell that everything else is compared with.
HEAD_SIZE, HEAD_BYTES, HEAD_DEVICES = "2M", 2 * MIB, 8
# Bodies in the generator's memory: more than a cache holds, made within a second or two.
BODIES_BYTES = 192 * MIB
