package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"linger/internal/testall"
	"linger/report/document"
	"linger/rig/far"
)

// TestConnectCountsAsNginx holds what crossed the lab's path against the log of an nginx of
// this machine: connections are one for one. How they end is for relay to test.
func TestConnectCountsAsNginx(t *testing.T) {
	needLab(t)
	nginx, curl := program(t, "nginx", "nginx"), program(t, "curl", "curl")
	dir := t.TempDir()
	address := testall.FreeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	config := fmt.Sprintf(`daemon off; pid %[1]s/pid; error_log %[1]s/error.log; events {}
http {
	log_format one '$connection $connection_requests';
	access_log %[1]s/access.log one; client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
	keepalive_requests 3;
	server { listen %[2]s; location / { return 200 "hello\n"; } }
}
`, dir, address)
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	background(t, address, dir, nginx, "-c", filepath.Join(dir, "nginx.conf"), "-p", dir, "-e", filepath.Join(dir, "error.log"))

	seen := connected(t, dir, "shop.example="+address, curl, "-sS", "-o", "/dev/null", "http://shop.example:"+port+"/[1-7]")
	// 3, 3 and 1 of the 7 requests on a connection, by nginx's limit.
	log, err := os.ReadFile(filepath.Join(dir, "access.log"))
	if err != nil {
		t.Fatal(err)
	}
	theirs := map[string]int{}
	for line := range strings.Lines(string(log)) {
		theirs[strings.Fields(line)[0]]++
	}
	if ours := len(seen.Ledger.Connections); ours != 3 || len(theirs) != 3 || seen.Relays[0].Connections != 3 {
		t.Errorf("%d connections crossed the path, the relay carried %d, nginx counts %v", ours, seen.Relays[0].Connections, theirs)
	}
}

// connected runs a command in a lab from where it reaches one server, and returns what was seen.
func connected(t *testing.T, dir, target string, program ...string) document.Command {
	t.Helper()
	file := filepath.Join(dir, "seen.json")
	args := append([]string{"lab", "--network", "lan", "--connect", target, "-o", file, "--"}, program...)
	if _, errs, status := command(t, args...); status != exitDone {
		t.Fatalf("status %d: %s", status, errs)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var seen document.Command
	if err := json.Unmarshal(b, &seen); err != nil {
		t.Fatal(err)
	}
	return seen
}

// TestTrust has programs of the lab find its authority by themselves, whatever the user has set.
func TestTrust(t *testing.T) {
	needLab(t)
	curl := program(t, "curl", "curl")
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	theirs := filepath.Join(t.TempDir(), "theirs.pem")
	if err := os.WriteFile(theirs, []byte("# no certificate\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, set := range []string{"", theirs} {
		for _, name := range far.TrustVariables {
			t.Setenv(name, set)
		}
		_, errs, status := command(t, "lab", "--network", "lan", "--serve", "textbook:1", "--", curl, "-sS", "-o", "/dev/null", "https://origin/")
		if status != exitDone {
			t.Errorf("with %q set: status %d: %s", set, status, errs)
		}
	}
	left, err := os.ReadDir(temp)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
