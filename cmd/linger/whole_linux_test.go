package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"linger/internal/testall"
)

// TestFullDisk writes each format over an old file on a disk that has no room for it: the old
// file stays, which a line says, and nothing is left beside it.
func TestFullDisk(t *testing.T) {
	unshare, self := program(t, "unshare", "util-linux"), os.Args[0]
	dir := t.TempDir()
	full := filepath.Join(dir, "full")
	if err := os.Mkdir(full, 0o755); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	capture := "/tmp/none"
	sim := []string{"compare", "objects:3x1000", "--on", "sim", "-s", "close,keep"}
	sweep := []string{"sweep", "objects:3x1000", "--rtt", "5ms", "--down", "1mbit", "--loss", "0"}
	type kind struct {
		endings string
		args    []string
	}
	kinds := []kind{
		{".json .html .trace", sim}, {".csv .json", sweep}, {".har", []string{"get", server.URL}},
		{".txt .xml .sarif .prom .csv", sim}, {".html .txt", sweep}, {".json .html .txt .trace", []string{"get", server.URL}},
		{".json .txt .csv .bench .xml .sarif .prom", []string{"bench", server.URL, "-n", "4", "-c", "2"}},
	}
	if testall.Asked() {
		needLab(t)
		capture = filepath.Join(dir, "x.pcapng")
		if _, said, status := command(t, "get", "objects:3x1000", "-s", "close", "-o", capture); status != exitDone {
			t.Fatal(said)
		}
		kinds = append(kinds, kind{".pcapng", []string{"get", "objects:3x1000"}}, kind{".pcapng .tsv .parquet .json", []string{"inspect", capture}},
			kind{".pcapng", []string{"lab", "--", "true"}})
	}
	for _, k := range testall.Of(kinds, kinds[:3]) {
		for ending := range strings.FieldsSeq(k.endings) {
			name := filepath.Join(full, "x"+ending)
			args := append([]string{"linger", k.args[0], "-o", name}, k.args[1:]...)
			// A file system of two pages: the old file has one, the other is filled.
			script := `mount -t tmpfs -o size=8k tmpfs "$0" && printf old > "$1" && { cat /dev/zero > "$0/fill" 2>/dev/null; name=$1; shift; "$@" >/dev/null; status=$?; echo "$(cat "$name") $(ls -A "$(dirname "$name")" | wc -l)"; exit $status; }`
			c := exec.Command(unshare, append([]string{"-Urm", "sh", "-c", script, full, name, self}, args...)...)
			var said strings.Builder
			c.Stderr = &said
			out, err := c.Output()
			status := new(exec.ExitError)
			switch {
			case strings.Contains(said.String(), "unshare: ") || strings.Contains(said.String(), "mount: "):
				skip(t, "no file system can be mounted here: %s", said.String())
			case !errors.As(err, &status) || status.ExitCode() != exitMachine:
				t.Errorf("%q: %v; %s", args, err, said.String())
			}
			if got, want := string(out), "old 2\n"; got != want {
				t.Errorf("%q leaves %q, want %q", args, got, want)
			}
			if n := strings.Count(said.String(), "no space left on device"); n != 1 || !strings.Contains(said.String(), fmt.Sprintf("x%s: ", ending)) {
				t.Errorf("%q says\n%s", args, said.String())
			}
		}
	}
}

// TestOneFileTwice: two outputs to one file would be one that replaces the other.
func TestOneFileTwice(t *testing.T) {
	t.Chdir(t.TempDir())
	if os.WriteFile("a.json", []byte("old"), 0o600) != nil || os.Symlink("a.json", "link.json") != nil {
		t.Fatal("no files can be made")
	}
	for _, second := range []string{"a.json", "./a.json", "link.json"} {
		_, said, status := command(t, "compare", "objects:1x1000", "--on", "sim", "-o", "a.json", "-o", second)
		if status != exitUsage || !strings.Contains(said, "are one file") {
			t.Errorf("%s: status %d, %s", second, status, said)
		}
	}
	if b, err := os.ReadFile("a.json"); err != nil || string(b) != "old" {
		t.Errorf("the old file is %q, %v", b, err)
	}
}
