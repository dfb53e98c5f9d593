// Package settings lets a test move a program to a free port and make it quick;
// with neither variable set, the tutorial's own values hold.
package settings

import (
	"os"
	"strconv"
	"time"
)

// Address returns the environment's ADDRESS, or the tutorial's.
func Address(tutorial string) string {
	if address := os.Getenv("ADDRESS"); address != "" {
		return address
	}
	return tutorial
}

// Interval returns the environment's INTERVAL_MS, or the tutorial's.
func Interval(tutorial time.Duration) time.Duration {
	if milliseconds, err := strconv.Atoi(os.Getenv("INTERVAL_MS")); err == nil {
		return time.Duration(milliseconds) * time.Millisecond
	}
	return tutorial
}
