package work

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// Name of the server, in its certificate.
const authority = "localhost"

// settings with their values; README.md says why, and what those do that are left as grpc-go has them, which is 0 here.
// BENCH_GRPC_GO=write_buffer_bytes=65536,... sets others, to measure what each does.
var settings = map[string]int{
	"gc_percent":              400, // GOGC, where that is not set
	"write_buffer_bytes":      0,
	"read_buffer_bytes":       0,
	"stream_window_bytes":     4 << 20,
	"connection_window_bytes": 16 << 20,
	"stream_workers":          0,
	"no_retry":                0,
}

func init() {
	comma := func(letter rune) bool { return letter == ',' }
	for _, assignment := range strings.FieldsFunc(os.Getenv("BENCH_GRPC_GO"), comma) {
		name, text, _ := strings.Cut(assignment, "=")
		value, err := strconv.Atoi(text)
		if _, known := settings[name]; !known || err != nil {
			log.Fatalf("BENCH_GRPC_GO: %q is not a setting with a number", assignment)
		}
		settings[name] = value
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(settings["gc_percent"])
	}
}

// ServerOptions gives what a server is made with; the paths are empty without TLS.
func ServerOptions(certificate, key string) ([]grpc.ServerOption, error) {
	options := []grpc.ServerOption{
		grpc.ForceServerCodecV2(NewRawCodec()),
		grpc.NumStreamWorkers(uint32(settings["stream_workers"])),
	}
	if size := settings["write_buffer_bytes"]; size > 0 {
		options = append(options, grpc.WriteBufferSize(size))
	}
	if size := settings["read_buffer_bytes"]; size > 0 {
		options = append(options, grpc.ReadBufferSize(size))
	}
	if size := settings["stream_window_bytes"]; size > 0 {
		options = append(options, grpc.StaticStreamWindowSize(int32(size)))
	}
	if size := settings["connection_window_bytes"]; size > 0 {
		options = append(options, grpc.StaticConnWindowSize(int32(size)))
	}
	if certificate == "" {
		return options, nil
	}
	credentials, err := credentials.NewServerTLSFromFile(certificate, key)
	return append(options, grpc.Creds(credentials)), err
}

// Dial gives a client of a server; the path of its authority's certificate is empty without TLS.
func Dial(address, authorities string) (*grpc.ClientConn, error) {
	credentials, err := clientCredentials(authorities)
	if err != nil {
		return nil, err
	}
	options := []grpc.DialOption{grpc.WithTransportCredentials(credentials)}
	if settings["no_retry"] != 0 {
		options = append(options, grpc.WithDisableRetry())
	}
	if size := settings["write_buffer_bytes"]; size > 0 {
		options = append(options, grpc.WithWriteBufferSize(size))
	}
	if size := settings["read_buffer_bytes"]; size > 0 {
		options = append(options, grpc.WithReadBufferSize(size))
	}
	if size := settings["stream_window_bytes"]; size > 0 {
		options = append(options, grpc.WithStaticStreamWindowSize(int32(size)))
	}
	if size := settings["connection_window_bytes"]; size > 0 {
		options = append(options, grpc.WithStaticConnWindowSize(int32(size)))
	}
	return grpc.NewClient(address, options...)
}

func clientCredentials(authorities string) (credentials.TransportCredentials, error) {
	if authorities == "" {
		return insecure.NewCredentials(), nil
	}
	pem, err := os.ReadFile(authorities)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", authorities)
	}
	return credentials.NewTLS(&tls.Config{RootCAs: pool, ServerName: authority}), nil
}
