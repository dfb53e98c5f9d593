package work

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// What Linux counts processor time in, for programs that look.
const ticksPerSecond = 100

// ProcessorSeconds of this process so far, in user and kernel.
func ProcessorSeconds() (float64, error) {
	var usage syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	nanoseconds := usage.Utime.Nano() + usage.Stime.Nano()
	return float64(nanoseconds) / 1e9, err
}

// processorSecondsOf another process so far: 0 where process is 0. Source: proc_pid_stat(5), fields 14 and 15.
func processorSecondsOf(process int) (float64, error) {
	if process == 0 {
		return 0, nil
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", process))
	if err != nil {
		return 0, err
	}
	// The second field, a name in brackets, may hold anything; the third follows it.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat: %q", process, stat)
	}
	user, err := strconv.Atoi(fields[11])
	if err != nil {
		return 0, err
	}
	kernel, err := strconv.Atoi(fields[12])
	return float64(user+kernel) / ticksPerSecond, err
}

// ResidentBytes of a process: its memory that is in the machine's; 0 where process is 0. Source: proc_pid_statm(5).
func ResidentBytes(process int) (int, error) {
	if process == 0 {
		return 0, nil
	}
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", process))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(statm))
	if len(fields) < 2 {
		return 0, fmt.Errorf("/proc/%d/statm: %q", process, statm)
	}
	pages, err := strconv.Atoi(fields[1])
	return pages * os.Getpagesize(), err
}

// Usage is what something took: time, and the processor time of this process and of the server's.
type Usage struct {
	Seconds, Client, Server float64
}

// Measure says what something took. The server's process is in the environment; where it is not, its time is 0.
func Measure(do func() error) (Usage, error) {
	server, err := ServerProcess()
	if err != nil {
		return Usage{}, err
	}
	from, err := use(server)
	if err != nil {
		return Usage{}, err
	}
	if err := do(); err != nil {
		return Usage{}, err
	}
	to, err := use(server)
	return Usage{to.Seconds - from.Seconds, to.Client - from.Client, to.Server - from.Server}, err
}

// ServerProcess gives the process of the server, 0 where nobody said.
func ServerProcess() (int, error) {
	text := os.Getenv("BENCH_SERVER_PID")
	if text == "" {
		return 0, nil
	}
	return strconv.Atoi(text)
}

func use(server int) (Usage, error) {
	client, err := ProcessorSeconds()
	if err != nil {
		return Usage{}, err
	}
	served, err := processorSecondsOf(server)
	return Usage{time.Since(begun).Seconds(), client, served}, err
}

var begun = time.Now()
