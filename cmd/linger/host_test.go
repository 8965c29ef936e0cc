package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestMain of this package is also the hosts; this guards what they print.
func TestHostsSayWhatIsWrong(t *testing.T) {
	in, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	errs, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer errs.Close()
	if status := Main([]string{"host", "client"}, streamsOf(in, errs, errs, os.Getenv)); status == exitDone {
		t.Error("a client without an order ended well")
	}
	said, _ := os.ReadFile(errs.Name())
	if want := "linger: host client: no order on standard input: EOF\n"; string(said) != want {
		t.Errorf("it said %q, want %q", said, want)
	}
}
