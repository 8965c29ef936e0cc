// Package rig puts lab, origins, client processes, the user's own server, the network that there
// is and the simulator together as engines for package run: a Lab and a Live measure, a Sim
// predicts the same.
//
// What is to be run is prepared here, too: who fetches (Clients), what a URL's page is made of
// (Visit), where names are asked for (Resolvers), and of a plan how many trials run side by side
// and in which order (sideBySide, foresee, Expected). What happened is for others to look at:
// engines return traces.
//
// Inner rooms have the processes: rig/host what a host of a lab is told and says, rig/far what
// serves at the far end of its path. An error that is somebody's is one of package fault.
package rig

import (
	"os"
	"runtime"
	"strings"

	"linger/trace"
)

// Agent is what a version of this program calls itself in User-Agent.
func Agent(version string) string { return "linger/" + version }

// ThisMachine names what measures, as Linux tells it in /proc; elsewhere it is the system
// and the processor's architecture.
func ThisMachine() trace.Machine {
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
