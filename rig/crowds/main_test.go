package crowds

import (
	"os"
	"testing"

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
	if len(os.Args) > 1 && os.Args[1] == "prefork" {
		prefork(os.Args[2:])
	}
	testall.AtOnce(2) // a crowd takes more of the machine than a client does
	os.Exit(m.Run())
}

// needLab skips a test where no lab can be made; with LINGER_TEST_ALL=1 it fails.
func needLab(t *testing.T) {
	t.Helper()
	for _, f := range lab.Check() {
		if !f.OK && f.Needed {
			testall.Lacks(t, "no lab can be made here: %s: %s; %s", f.Name, f.Found, f.Fix)
		}
	}
}
