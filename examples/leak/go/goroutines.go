// Counts goroutines. `go build -overlay` adds this file to the tutorial's server, whose own code stays as it is.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
)

// On SIGUSR1, print how many goroutines are in the tutorial's handler, or were started by it.
func init() {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR1)
	go func() {
		stacks := make([]byte, 1<<20)
		for range asked {
			count := 0
			for _, stack := range strings.Split(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
				if strings.Contains(stack, "main.(*allStream).AllStream") {
					count++
				}
			}
			fmt.Fprintln(os.Stderr, "goroutines:", count)
		}
	}()
}
