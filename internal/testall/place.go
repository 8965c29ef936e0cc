package testall

import (
	"net"
	"os"
	"os/exec"
	"testing"
)

// FreeAddress returns an address of loopback at which nobody listens over TCP.
func FreeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// OpenDir returns a folder in which programs may write that give up root's rights.
func OpenDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "linger-test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Located returns where a program is, "" if it is not installed. Debian keeps those of
// administrators in a folder that is not in everybody's PATH.
func Located(program string) string {
	for _, at := range []string{program, "/usr/sbin/" + program} {
		if path, err := exec.LookPath(at); err == nil {
			return path
		}
	}
	return ""
}
