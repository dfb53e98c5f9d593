"""Health, reflection and channelz: our generated code beside grpcio's packages, in one process and over sockets."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Never

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_channelz.v1 import channelz
from grpc_health.v1 import health
from grpc_health.v1 import health_pb2 as their_health_pb2
from grpc_health.v1 import health_pb2_grpc as their_health_pb2_grpc
from grpc_reflection.v1alpha import reflection

import penstock
from examples.tutorial.programs import PROJECT
from penstock.services.grpc_channelz.v1.channelz_pb2 import GetServersRequest
from penstock.services.grpc_channelz.v1.channelz_penstock import ChannelzClient
from penstock.services.grpc_health.v1.health_pb2 import (
    HealthCheckRequest,
    HealthCheckResponse,
)
from penstock.services.grpc_health.v1.health_penstock import HealthBase, HealthClient
from penstock.services.grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest
from penstock.services.grpc_reflection.v1alpha.reflection_penstock import ServerReflectionClient

COMPARED = (
    "grpc_health/v1/health.proto: 3 fields\n"
    "grpc_reflection/v1alpha/reflection.proto: 21 fields\n"
    "grpc_channelz/v1/channelz.proto: 134 fields\n"
)


def run(*arguments: str, implementation: str = "upb") -> str:
    """Run Python in a fresh process; give what it printed."""
    environment = {**os.environ, "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": implementation}
    child = subprocess.run(
        [sys.executable, *arguments], cwd=PROJECT, env=environment, capture_output=True, check=False, text=True
    )
    assert child.returncode == 0, child.stderr
    return child.stdout


@pytest.mark.parametrize("implementation", ["upb", "python"])
@pytest.mark.parametrize("order", [("ours", "theirs"), ("theirs", "ours")])
def test_ours_and_grpcios_are_imported_in_one_process_and_read_each_other(
    order: tuple[str, str], implementation: str
) -> None:
    assert run("-m", "tests.interop.standard_services", *order, implementation=implementation) == COMPARED


def test_packages_of_another_release_can_be_imported_beside_ours() -> None:
    # As grpcio-health-checking was until 1.84: the same file name, without the method List.
    older = FileDescriptorProto.FromString(their_health_pb2.DESCRIPTOR.serialized_pb)
    del older.service[0].method[1]
    program = f"""
from google.protobuf import descriptor_pool
from penstock.services.grpc_health.v1 import health_pb2
descriptor_pool.Default().AddSerializedFile({older.SerializeToString()!r})
theirs = descriptor_pool.Default().FindServiceByName("grpc.health.v1.Health")
print(len(theirs.methods), len(health_pb2.DESCRIPTOR.services_by_name["Health"].methods))
"""
    assert run("-c", program) == "2 3\n"


def test_our_package_does_not_import_grpcio() -> None:
    program = """
import sys
from penstock.services.grpc_channelz.v1 import channelz_penstock
from penstock.services.grpc_health.v1 import health_penstock
from penstock.services.grpc_reflection.v1 import reflection_penstock
from penstock.services.grpc_reflection.v1alpha import reflection_penstock
print([name for name in sys.modules if name.partition(".")[0].startswith("grpc")])
"""
    assert run("-c", program) == "[]\n"


@asynccontextmanager
async def asking_grpcio(add: Callable[[grpc.aio.Server], None]) -> AsyncIterator[penstock.Channel]:
    """Give a channel of ours to a server of grpcio's."""
    server = grpc.aio.server()
    add(server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with penstock.Channel(f"127.0.0.1:{port}") as channel:
            yield channel
    finally:
        await server.stop(None)


async def test_our_client_asks_grpcios_health_service() -> None:
    servicer = health.aio.HealthServicer()
    await servicer.set("shop", their_health_pb2.HealthCheckResponse.NOT_SERVING)

    def add(server: grpc.aio.Server) -> None:
        their_health_pb2_grpc.add_HealthServicer_to_server(servicer, server)

    async with asking_grpcio(add) as channel:
        client = HealthClient(channel)
        assert (await client.check(HealthCheckRequest(), timeout=10)).status == HealthCheckResponse.SERVING
        with pytest.raises(penstock.RpcError) as caught:
            await client.check(HealthCheckRequest(service="nobody"), timeout=10)
        assert caught.value.code is penstock.StatusCode.NOT_FOUND
        async with client.watch(HealthCheckRequest(service="shop"), timeout=10) as stream:
            assert (await stream.receive()).status == HealthCheckResponse.NOT_SERVING
            await servicer.set("shop", their_health_pb2.HealthCheckResponse.SERVING)
            assert (await stream.receive()).status == HealthCheckResponse.SERVING


async def test_our_client_asks_grpcios_reflection_service() -> None:
    def add(server: grpc.aio.Server) -> None:
        reflection.enable_server_reflection(["some.Service"], server)

    async with asking_grpcio(add) as channel:
        async with ServerReflectionClient(channel).server_reflection_info(timeout=10) as stream:
            await stream.send(ServerReflectionRequest(list_services=""))
            reply = await stream.receive()
            assert [service.name for service in reply.list_services_response.service] == ["some.Service"]


async def test_our_client_asks_grpcios_channelz_service() -> None:
    async with asking_grpcio(channelz.add_channelz_servicer) as channel:
        reply = await ChannelzClient(channel).get_servers(GetServersRequest(), timeout=10)
        assert any(server.data.calls_started >= 1 for server in reply.server)


class Healthy(HealthBase):
    """Says so, once to who watches; `List` is left out."""

    async def check(self, request: HealthCheckRequest, call: penstock.ServerCall) -> HealthCheckResponse:
        return HealthCheckResponse(status=HealthCheckResponse.SERVING)

    async def watch(
        self, request: HealthCheckRequest, stream: penstock.ServerStream[Never, HealthCheckResponse]
    ) -> AsyncIterator[HealthCheckResponse]:
        yield HealthCheckResponse(status=HealthCheckResponse.SERVING)


async def test_grpcios_client_asks_a_health_service_of_ours() -> None:
    async with (
        penstock.Server([Healthy()]).listening("127.0.0.1:0") as address,
        grpc.aio.insecure_channel(address) as channel,
    ):
        stub = their_health_pb2_grpc.HealthStub(channel)
        serving = their_health_pb2.HealthCheckResponse.SERVING
        request = their_health_pb2.HealthCheckRequest()
        assert (await stub.Check(request, timeout=10)).status == serving
        assert [reply.status async for reply in stub.Watch(request, timeout=10)] == [serving]
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.List(their_health_pb2.HealthListRequest(), timeout=10)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
