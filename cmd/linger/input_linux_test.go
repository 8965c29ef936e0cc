package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"linger/console"
	"linger/fault"
)

// silent are streams that go nowhere.
func silent(t *testing.T) console.Streams {
	t.Helper()
	nowhere, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nowhere.Close() })
	return streamsOf(nowhere, nowhere, nowhere, func(string) string { return "" })
}

// Whoever waits for a FIFO that nobody writes, or that does not end, is told to stop and
// does.
func TestStoppedWhileReading(t *testing.T) {
	for _, test := range []struct{ verb, before, after string }{
		{"report", "", ""}, {"report", "", ".har"}, {"inspect", "", ""}, {"inspect", "", ".trace"},
		{"compare", "", " other.json"}, {"compare", "", ""}, {"get", "", ""}, {"sweep", "", ""}, {"serve", "", " -p 0"},
		{"probe", "-f ", ""}, {"get", "dns --names ", ""}, {"lab", "--serve ", " -- true"},
	} {
		for _, written := range []bool{false, true} {
			name := "opened "
			if written {
				name = "read "
			}
			t.Run(name+strings.TrimSpace(test.verb+" "+test.before+"FIFO"+test.after), func(t *testing.T) {
				t.Parallel()
				file, more, _ := strings.Cut(test.after, " ")
				fifo := filepath.Join(t.TempDir(), "fifo"+file)
				if err := syscall.Mkfifo(fifo, 0o600); err != nil {
					skip(t, "no FIFO can be made: %v", err)
				}
				std := silent(t)
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() {
					ended <- dispatch(ctx, append(append([]string{test.verb}, strings.Fields(test.before+fifo)...), strings.Fields(more)...), std)
				}()
				if written {
					w, err := os.OpenFile(fifo, os.O_WRONLY, 0) // waits for the reader
					if err != nil {
						t.Fatal(err)
					}
					defer w.Close()
				} else {
					// It ends the opening that was left alone.
					defer func() {
						if f, err := os.OpenFile(fifo, os.O_RDWR, 0); err == nil {
							f.Close()
						}
					}()
				}
				select {
				case err := <-ended:
					t.Fatalf("it did not wait: %v", err)
				case <-time.After(20 * time.Millisecond):
				}
				stop()
				select {
				case err := <-ended:
					if !errors.Is(err, fault.ErrInterrupted) {
						t.Errorf("%v, want that it was interrupted", err)
					}
				case <-time.After(time.Minute):
					t.Error("it waits on")
				}
			})
		}
	}
}

// The exit status says by which signal.
func TestStatusOfSignals(t *testing.T) {
	for _, test := range []struct {
		signal syscall.Signal
		status int
	}{{syscall.SIGTERM, 143}, {syscall.SIGINT, 130}} {
		t.Run(test.signal.String(), func(t *testing.T) {
			t.Parallel()
			fifo := filepath.Join(t.TempDir(), "fifo")
			if err := syscall.Mkfifo(fifo, 0o600); err != nil {
				skip(t, "no FIFO can be made: %v", err)
			}
			var said bytes.Buffer
			program := exec.Command(os.Args[0], "linger", "report", fifo)
			program.Stderr = &said
			if err := program.Start(); err != nil {
				t.Fatal(err)
			}
			w, err := os.OpenFile(fifo, os.O_WRONLY, 0) // waits for the reader
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			if err := program.Process.Signal(test.signal); err != nil {
				t.Fatal(err)
			}
			watchdog := time.AfterFunc(time.Minute, func() { program.Process.Kill() })
			defer watchdog.Stop()
			program.Wait()
			if got := program.ProcessState.ExitCode(); got != test.status || said.String() != "linger: interrupted\n" {
				t.Errorf("status %d, want %d; said %q", got, test.status, said.String())
			}
		})
	}
}
