from concurrent.futures import ThreadPoolExecutor

from inv3d.core.counting import counting


def test_calls_are_counted_after_they_are_made():
    told: list[tuple[object, ...]] = []

    def double(number: int) -> int:
        told.append((number,))
        return 2 * number

    make = counting(double, lambda done, total: told.append((done, total)), 2)
    assert [make(3), make(5)] == [6, 10]
    assert told == [(3,), (1, 2), (5,), (2, 2)]


def test_calls_of_several_threads_are_counted_once_each():
    told: list[int] = []
    make = counting(str, lambda done, total: told.append(done), 100)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(make, range(100))) == list(map(str, range(100)))
    assert sorted(told) == list(range(1, 101))
