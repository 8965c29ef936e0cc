package rig

import (
	"os"
	"testing"

	"linger"
	"linger/internal/testall"
	"linger/lab"
	"linger/rig/host"
)

func TestMain(m *testing.M) {
	// This binary is also the first process of a lab, and its hosts.
	if status, inside := lab.Inside(os.Args); inside {
		os.Exit(status)
	}
	if status, inside := host.Inside(os.Args, os.Environ()); inside {
		os.Exit(status)
	}
	testall.AtOnce(6) // labs and servers wait for most of their time
	os.Exit(m.Run())
}

// testVersion is the version of what was built from a working tree. Its length counts: requests
// bear it, and measurements were made with it.
const testVersion = "dev"

// needLab skips a test where no lab can be made; with LINGER_TEST_ALL=1 it fails.
func needLab(t *testing.T) {
	t.Helper()
	for _, f := range lab.Check() {
		if !f.OK && f.Needed {
			testall.Lacks(t, "no lab can be made here: %s: %s; %s", f.Name, f.Found, f.Fix)
		}
	}
}

// readWorkload reads a workload's file.
func readWorkload(t *testing.T, name string) (linger.Workload, []string) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, notes, err := ReadWorkload(name, f)
	if err != nil {
		t.Fatal(err)
	}
	return w, notes
}
