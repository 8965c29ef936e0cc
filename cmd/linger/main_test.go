package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"linger/lab"
)

func TestMain(m *testing.M) {
	// This binary is also the first process of a lab, and its hosts.
	if status, inside := lab.Inside(os.Args); inside {
		os.Exit(status)
	}
	if len(os.Args) > 1 && os.Args[1] == "host" {
		os.Exit(Main(os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr, os.Getenv}))
	}
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
func skip(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("LINGER_TEST_ALL") == "1" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

func TestCommandLine(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Condition: func(cond string) (bool, error) {
			if cond != "lab" {
				return false, os.ErrInvalid
			}
			for _, f := range lab.Check() {
				if !f.OK && f.Needed {
					if os.Getenv("LINGER_TEST_ALL") == "1" {
						t.Errorf("no lab can be made here: %s: %s", f.Name, f.Found)
					}
					return false, nil
				}
			}
			return len(lab.Check()) > 0, nil
		},
	})
}
