"""Serve the same with grpcio's first API, until Ctrl+C: a thread for every call that is open."""

import sys
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue

import grpc

from examples.image_service import command_line, service
from examples.image_service.grpcio_server import OPTIONS, listen, methods
from examples.image_service.images_pb2 import Picture, Result
from examples.image_service.pieces import Joiner, PiecesError
from examples.image_service.work import NotAPictureError
from examples.image_service.workers import Outcome, attempt, cores

OPEN_CALLS = 10
"""As in grpcio's own examples; one more waits."""


class Images:
    """Improves pictures in the thread of their call, or in a pool if they come on a stream."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._working = threading.Semaphore(count)
        self._pool = ThreadPoolExecutor(count)

    def improve(self, request: Picture, context: grpc.ServicerContext) -> Result:
        try:
            with self._working:
                return service.result(attempt(request.data))
        except NotAPictureError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))

    def improve_all(self, requests: Iterable[Picture], context: grpc.ServicerContext) -> Iterator[Result]:
        begun = SimpleQueue[Future[Outcome] | None]()
        room = threading.Semaphore(self.count + 2)
        context.add_callback(room.release)  # whoever waits for room has to hear that the client has gone
        threading.Thread(target=self._take, args=(requests, context, begun, room), daemon=True).start()
        try:
            while (future := begun.get()) is not None:
                yield from service.results(future.result())
                room.release()
        except PiecesError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))

    def _take(
        self,
        requests: Iterable[Picture],
        context: grpc.ServicerContext,
        begun: SimpleQueue[Future[Outcome] | None],
        room: threading.Semaphore,
    ) -> None:
        """Begin the work on pictures as they come: the thread of the call waits for the results."""
        joiner = Joiner()
        try:
            for request in requests:
                if (data := joiner.add(request.data, request.more)) is not None:
                    room.acquire()
                    if not context.is_active():
                        return
                    begun.put(self._pool.submit(attempt, data))
            joiner.end()
        except PiecesError as error:
            failed = Future[Outcome]()
            failed.set_exception(error)
            begun.put(failed)
        except grpc.RpcError:
            pass  # the client has gone
        finally:
            begun.put(None)


def main() -> None:
    """Read the command line, and serve."""
    options = command_line.of_server(__doc__)
    server = grpc.server(ThreadPoolExecutor(OPEN_CALLS), options=OPTIONS)
    server.add_generic_rpc_handlers([methods(Images(options.workers or cores()))])
    try:
        listen(server, options.address)
        server.start()
        server.wait_for_termination()
    except OSError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
