// Package testall says which tests LINGER_TEST_ALL=1 asks for: all of them. Without it,
// a test whose program or right the machine lacks is skipped, and so is one that takes
// long: what it holds is held by a shorter one, too, for fewer cases.
//
// It has what tests of several rooms need alike, too: programs of others' (Located, Start),
// servers of a few lines (Accept, AnswerDatagrams), places (FreeAddress, OpenDir), documents
// that are not quite right (MutateJSON), and a measure of how late the machine is (InTime).
package testall

import (
	"flag"
	"os"
	"os/exec"
	"strconv"
	"testing"
)

// Asked reports whether every test is to run, whole.
func Asked() bool { return os.Getenv("LINGER_TEST_ALL") == "1" }

// Lacks skips a test for what the machine lacks, and fails it where nothing may lack.
func Lacks(t testing.TB, format string, args ...any) {
	t.Helper()
	if Asked() {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// Needs skips a test that lacks a program, or fails it where all must run.
func Needs(t testing.TB, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			Lacks(t, "%v", err)
		}
	}
}

// Long skips a test that takes so much, "a minute of real time", unless all are asked for.
func Long(t testing.TB, takes string) {
	t.Helper()
	if !Asked() {
		t.Skipf("takes %s; LINGER_TEST_ALL=1 runs it", takes)
	}
}

// AtOnce has TestMain let so many parallel tests run at a time, where -parallel does not
// say how many: tests that wait for the real time to pass need no processor each.
func AtOnce(n int) { flag.Set("test.parallel", strconv.Itoa(n)) }

// Of returns the whole of something where every test is to run whole, and else a part.
func Of[T any](whole, part T) T {
	if Asked() {
		return whole
	}
	return part
}
