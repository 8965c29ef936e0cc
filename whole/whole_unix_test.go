//go:build unix

package whole

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

func TestDevices(t *testing.T) {
	if runtime.GOOS == "linux" {
		f, err := Create("/dev/full")
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.Write([]byte("a"))
		path := new(fs.PathError)
		if !errors.Is(err, syscall.ENOSPC) || !errors.As(err, &path) || path.Path != "/dev/full" {
			t.Errorf("a full disk: %v", err)
		}
		f.Discard()
	}
	before, err := os.Stat("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	f, err := Create("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	f.Write([]byte("a"))
	if err := f.Commit(); err != nil {
		t.Error(err)
	}
	if after, err := os.Stat("/dev/null"); err != nil || after.Mode() != before.Mode() || Same("/dev/null", "/dev/null") {
		t.Errorf("a device stays what it is: %v, %v", after.Mode(), err)
	}
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Check(pipe); err != nil {
		t.Errorf("a pipe is not waited for: %v", err)
	}
	read := make(chan string)
	go func() { b, _ := os.ReadFile(pipe); read <- string(b) }()
	if f, err = Create(pipe); err != nil {
		t.Fatal(err)
	}
	f.Write([]byte("through"))
	f.Commit()
	if got := <-read; got != "through" {
		t.Errorf("through a pipe came %q", got)
	}
}
