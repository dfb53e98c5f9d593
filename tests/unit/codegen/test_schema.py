"""Services and rpcs with their Python names."""

from pathlib import Path

import pytest

import penstock
from penstock.codegen.errors import GeneratorError
from penstock.codegen.messages import MessageNames, index_messages
from penstock.codegen.schema import RESERVED_METHOD_NAMES, Cardinality, ServiceSchema, read_services
from tests.unit.codegen.protofiles import describe


def read(folder: Path, text: str) -> list[ServiceSchema]:
    """Read the services of a .proto text in which every rpc takes and gives `M`."""
    file = describe(folder, f"package p; message M {{}} {text}")
    return list(read_services(file, MessageNames(file.name, index_messages([file]), ())))


def rpcs(*names: str) -> str:
    """Give unary rpcs of these names."""
    return " ".join(f"rpc {name}(M) returns (M);" for name in names)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("(M) returns (M)", Cardinality.UNARY),
        ("(M) returns (stream M)", Cardinality.SERVER_STREAM),
        ("(stream M) returns (M)", Cardinality.CLIENT_STREAM),
        ("(stream M) returns (stream M)", Cardinality.BOTH_STREAM),
    ],
)
def test_cardinality_is_read_from_the_stream_words(tmp_path: Path, words: str, expected: Cardinality) -> None:
    [service] = read(tmp_path, f"service S {{ rpc Get{words}; }}")
    assert service.methods[0].cardinality is expected


def test_the_path_has_the_names_of_the_proto(tmp_path: Path) -> None:
    [service] = read(tmp_path, f"service S {{ {rpcs('GetURL')} }}")
    assert (service.methods[0].name, service.methods[0].path) == ("get_url", "/p.S/GetURL")


@pytest.mark.parametrize(
    ("first", "second", "python_name"),
    [("GetUrl", "GetURL", "get_url"), ("Import", "Import_", "import_"), ("_Get", "Get", "get")],
)
def test_two_rpcs_with_one_python_name_are_an_error_that_names_both(
    tmp_path: Path, first: str, second: str, python_name: str
) -> None:
    with pytest.raises(GeneratorError) as caught:
        read(tmp_path, f"service S {{ {rpcs(first, second)} }}")
    assert str(caught.value) == (
        f"sample.proto: service S: rpc {first} and rpc {second} would both be the Python method {python_name}; "
        "rename one of them"
    )


def test_the_same_rpc_in_two_services_is_no_collision(tmp_path: Path) -> None:
    services = read(tmp_path, f"service A {{ {rpcs('Get', 'Put')} }} service B {{ {rpcs('Get')} }}")
    assert [[method.constant for method in service.methods] for service in services] == [["_A_GET", "_PUT"], ["_B_GET"]]


def test_constants_stay_apart_even_where_names_run_together(tmp_path: Path) -> None:
    services = read(
        tmp_path,
        f"service A {{ {rpcs('B_C', 'C')} }} service A_B {{ {rpcs('C', 'A_B_C', 'B_C')} }}",
    )
    constants = [method.constant for service in services for method in service.methods]
    assert len(set(constants)) == len(constants)


def test_names_used_in_annotations_are_not_given_to_methods(tmp_path: Path) -> None:
    [service] = read(tmp_path, f"service S {{ {rpcs('Float', 'Bool', 'Penstock', 'Sample_Pb2')} }}")
    assert [method.name for method in service.methods] == ["float_", "bool_", "penstock_", "sample_pb2_"]


def test_no_method_hides_what_a_service_has_of_its_own() -> None:
    own = {name for name in dir(penstock.Service) if not name.startswith("_") and name.islower()}
    assert own <= RESERVED_METHOD_NAMES
