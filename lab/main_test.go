package lab

import (
	"fmt"
	"os"
	"testing"

	"linger/internal/testall"
)

// roleVar makes the test's own program play a part instead of running tests, so
// that a test needs no other program on a host.
const roleVar = "LINGER_TEST_ROLE"

// roles are what it can play; they return an exit status.
var roles = map[string]func(args []string) int{}

func TestMain(m *testing.M) {
	if status, inside := Inside(os.Args); inside {
		os.Exit(status)
	}
	if name := os.Getenv(roleVar); name != "" {
		role := roles[name]
		if role == nil {
			fmt.Fprintf(os.Stderr, "no role %q\n", name)
			os.Exit(2)
		}
		os.Exit(role(os.Args[1:]))
	}
	// Under the race detector each process that ends would first sleep a second,
	// the first of every lab included.
	if os.Getenv("GORACE") == "" {
		os.Setenv("GORACE", "atexit_sleep_ms=0")
	}
	testall.AtOnce(8) // they wait for retransmissions
	os.Exit(m.Run())
}
