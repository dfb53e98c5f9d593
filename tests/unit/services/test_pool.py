"""The descriptor pool of the standard services' messages."""

from types import ModuleType

import pytest
from google.protobuf import descriptor_pool

from penstock.services.grpc_channelz.v1 import channelz_pb2
from penstock.services.grpc_health.v1 import health_pb2
from penstock.services.grpc_reflection.v1 import reflection_pb2
from penstock.services.grpc_reflection.v1alpha import reflection_pb2 as reflection_alpha_pb2
from penstock.services.pool import POOL


@pytest.mark.parametrize("module", [channelz_pb2, health_pb2, reflection_pb2, reflection_alpha_pb2])
def test_the_standard_files_are_in_a_pool_of_their_own(module: ModuleType) -> None:
    assert module.DESCRIPTOR.pool is POOL
    assert POOL is not descriptor_pool.Default()
    assert POOL.FindFileByName(module.DESCRIPTOR.name).package == module.DESCRIPTOR.package


def test_messages_of_google_inside_them_are_what_they_are_elsewhere() -> None:
    data = channelz_pb2.ChannelData()
    data.last_call_started_timestamp.FromSeconds(7)
    assert data.last_call_started_timestamp.ToJsonString() == "1970-01-01T00:00:07Z"
