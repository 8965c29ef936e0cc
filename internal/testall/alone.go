package testall

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

const aloneVar = "LINGER_TEST_ALONE"

// Alone reports whether a test is the only one of its process. Where it is not, it is run
// in a process of its own, beside the others of this one: for what counts all that a
// process holds, as goroutines or sockets, and would have to run while nothing else does.
func Alone(t *testing.T) bool {
	t.Helper()
	if os.Getenv(aloneVar) == t.Name() {
		return true
	}
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"-test.run", "^" + t.Name() + "$", "-test.v"}
	if testing.Short() {
		args = append(args, "-test.short")
	}
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append(os.Environ(), aloneVar+"="+t.Name())
	switch out, err := cmd.CombinedOutput(); {
	case err != nil:
		t.Errorf("in a process of its own: %v\n%s", err, out)
	case strings.Contains(string(out), "--- SKIP: "+t.Name()+" "):
		Lacks(t, "%s", out)
	default:
		t.Logf("%s", out)
	}
	return false
}
