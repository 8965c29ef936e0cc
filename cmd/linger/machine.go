package main

import (
	"os"
	"runtime"
	"strings"

	"linger/trace"
)

// thisMachine names what measures, as Linux tells it in /proc; elsewhere it is the system
// and the processor's architecture.
func thisMachine() trace.Machine {
	m := trace.Machine{System: runtime.GOOS, CPU: runtime.GOARCH, Cores: runtime.NumCPU()}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.System = "Linux " + strings.TrimSpace(string(release))
	}
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		m.CPU = processor(string(info), m.CPU)
	}
	return m
}

// processor is the name of the first processor that /proc/cpuinfo tells of, or the one
// given where it tells none.
func processor(info, otherwise string) string {
	for line := range strings.Lines(info) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return otherwise
}
