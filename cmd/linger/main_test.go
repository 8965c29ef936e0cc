package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"linger/internal/testall"
	"linger/lab"
)

// roles are what this program can play besides, on a host of a lab; they return an exit status.
var roles = map[string]func(args []string) int{"load": loadMain, "peak": peakMain}

func TestMain(m *testing.M) {
	// This binary is also the first process of a lab, and its hosts.
	if status, inside := lab.Inside(os.Args); inside {
		os.Exit(status)
	}
	if len(os.Args) > 1 && (os.Args[1] == "host" || os.Args[1] == "probe") {
		os.Exit(Main(os.Args[1:], streamsOf(os.Stdin, os.Stdout, os.Stderr, os.Getenv)))
	}
	if len(os.Args) > 1 && os.Args[1] == "linger" {
		os.Exit(Main(os.Args[2:], streamsOf(os.Stdin, os.Stdout, os.Stderr, os.Getenv)))
	}
	if len(os.Args) > 1 && roles[os.Args[1]] != nil {
		os.Exit(roles[os.Args[1]](os.Args[2:]))
	}
	testall.AtOnce(6) // labs and servers wait for most of their time
	testscript.Main(m, map[string]func(){"linger": main})
}

// needLab skips a test where no lab can be made; with LINGER_TEST_ALL=1 it fails.
func needLab(t *testing.T) {
	t.Helper()
	for _, f := range lab.Check() {
		if !f.OK && f.Needed {
			skip(t, "no lab can be made here: %s: %s; %s", f.Name, f.Found, f.Fix)
		}
	}
}

// skip skips a test for want of something, or fails it under LINGER_TEST_ALL=1.
var skip = testall.Lacks

func TestCommandLine(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			// What a write to a full disk gives.
			return os.Symlink("/dev/full", filepath.Join(e.WorkDir, "full.csv"))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"bothends": bothEndsCmd, "status": statusCmd, "waitfor": waitForCmd, "onport": onPortCmd, "setport": setPortCmd,
		},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "lab":
			case "all":
				return testall.Asked(), nil
			default:
				return false, os.ErrInvalid
			}
			for _, f := range lab.Check() {
				if !f.OK && f.Needed {
					if testall.Asked() {
						t.Errorf("no lab can be made here: %s: %s", f.Name, f.Found)
					}
					return false, nil
				}
			}
			return len(lab.Check()) > 0, nil
		},
	})
}

// TestServerStoppedAtOnce has the signal be there before anybody listens.
func TestServerStoppedAtOnce(t *testing.T) {
	said, err := os.Create(filepath.Join(t.TempDir(), "said"))
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	for range 20 { // which of the sockets are served by then is a matter of luck
		if err := dispatch(ctx, []string{"serve", "dns", "--dns", "0", "--dot", "0", "--doq", "0"}, streamsOf(said, said, said, os.Getenv)); err != nil {
			t.Fatal(err)
		}
	}
}

// statusCmd runs a command and holds its exit status: status N COMMAND...
func statusCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N COMMAND [ARGUMENT...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// waitForCmd waits until a file exists: waitfor FILE
func waitForCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waitfor FILE")
	}
	for range 1000 {
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	ts.Fatalf("%s does not appear", args[0])
}

// setPortCmd has $PORT be what the file port holds, for other programs.
func setPortCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: setport")
	}
	ts.Setenv("PORT", strings.TrimSpace(ts.ReadFile("port")))
}

// onPortCmd runs linger with PORT in its arguments read from the file port:
// onport STATUS ARGUMENT...
func onPortCmd(ts *testscript.TestScript, neg bool, args []string) {
	port := strings.TrimSpace(ts.ReadFile("port"))
	filled := []string{args[0], "linger"}
	for _, a := range args[1:] {
		filled = append(filled, strings.ReplaceAll(a, "PORT", port))
	}
	statusCmd(ts, neg, filled)
}
