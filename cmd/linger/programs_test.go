package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/content"
	"linger/internal/testall"
	"linger/trace"
)

// program returns the path of a program that others wrote.
func program(t *testing.T, name, from string) string {
	t.Helper()
	path := testall.Located(name)
	if path == "" {
		skip(t, "%s is not installed; Debian has it in %s", name, from)
	}
	return path
}

// command runs one command line and returns what it wrote and its status.
func command(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	dir := t.TempDir()
	open := func(name string) *os.File {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	in, out, errs := open("in"), open("out"), open("err")
	defer in.Close()
	defer out.Close()
	defer errs.Close()
	status = Main(args, streamsOf(in, out, errs, os.Getenv))
	read := func(f *os.File) string {
		b, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	return read(out), read(errs), status
}

// TestCurlSeesTheRoundTrip holds the lab against curl's own clock.
func TestCurlSeesTheRoundTrip(t *testing.T) {
	needLab(t)
	t.Parallel()
	program(t, "curl", "curl")
	const rtt = 0.3 // s, of 3g
	var connects []float64
	machine := testall.Watch()
	for len(connects) < 3 || len(connects) < 10 && math.Abs(slices.Min(connects)-rtt)/rtt > 0.02 {
		out, errs, status := command(t, "lab", "--network", "3g", "--serve", "textbook:3", "--",
			"curl", "-s", "-o", "/dev/null", "-w", "%{time_namelookup} %{time_connect}", "http://origin/")
		var lookup, connect float64
		if _, err := fmt.Sscan(out, &lookup, &connect); err != nil || status != exitDone {
			t.Fatalf("curl gave %q with status %d: %s", out, status, errs)
		}
		connects = append(connects, connect)
	}
	// The least: what other programs on this machine do only adds.
	least := slices.Min(connects)
	t.Logf("curl's time_connect %v s, round trip %v s", connects, rtt)
	if late := machine(); math.Abs(least-rtt)/rtt > 0.02 {
		if late > 20*time.Millisecond {
			skip(t, "this machine is too busy to say: it woke up %v too late", late)
		}
		t.Errorf("curl connected in %v s, want %v within 2 %%", least, rtt)
	}
}

// captured fetches the gallery by a strategy, with further flags, and returns its trace and the
// file of its packets.
func captured(t *testing.T, strategy string, more ...string) (one trace.Trace, capture string) {
	t.Helper()
	dir := t.TempDir()
	capture, result := filepath.Join(dir, "run.pcapng"), filepath.Join(dir, "run.json")
	args := append([]string{"get", "gallery", "-s", strategy, "-o", capture, "-o", result}, more...)
	if _, errs, status := command(t, args...); status != exitDone {
		t.Fatalf("status %d: %s", status, errs)
	}
	b, err := os.ReadFile(result)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &one); err != nil {
		t.Fatal(err)
	}
	return one, capture
}

// TestTsharkCountsAsTheLedger holds the ledger of a lossy fetch against tshark's
// reading of the packets.
func TestTsharkCountsAsTheLedger(t *testing.T) {
	needLab(t)
	t.Parallel()
	tshark := program(t, "tshark", "tshark")
	one, capture := captured(t, "close:6", "--rtt", "20ms", "--loss", "1%")
	var ledger struct{ connections, syn, fin, payload, packets int64 }
	for _, f := range one.Ledger.Or(trace.Ledger{}).Connections {
		ledger.connections++
		ledger.syn += f.Up.SYN + f.Down.SYN
		ledger.fin += f.Up.FIN + f.Down.FIN
		ledger.payload += f.Up.Payload + f.Down.Payload
		ledger.packets += f.Up.Packets + f.Down.Packets
	}
	out, err := exec.Command(tshark, "-r", capture, "-T", "fields", "-e", "tcp.stream", "-e", "tcp.flags.syn", "-e", "tcp.flags.fin", "-e", "tcp.len").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := ledger
	seen.connections, seen.syn, seen.fin, seen.payload, seen.packets = 0, 0, 0, 0, 0
	streams := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		streams[f[0]] = true
		isSet := func(s string) int64 {
			if s == "1" || s == "True" {
				return 1
			}
			return 0
		}
		length, _ := strconv.ParseInt(f[3], 10, 64)
		seen.syn, seen.fin, seen.payload, seen.packets = seen.syn+isSet(f[1]), seen.fin+isSet(f[2]), seen.payload+length, seen.packets+1
	}
	seen.connections = int64(len(streams))
	if seen != ledger {
		t.Errorf("tshark counts %+v, the ledger %+v", seen, ledger)
	}
}

// TestGetFromNginx fetches the gallery as files from a server that others wrote,
// and holds our count of connections and bytes against its log.
func TestGetFromNginx(t *testing.T) {
	nginx := program(t, "nginx", "nginx-light")
	dir := t.TempDir()
	w := linger.Gallery(1)
	var bytesWanted int64
	for i, e := range w.Exchanges {
		name := filepath.Join(dir, "www", e.Path)
		if e.Path == "/" {
			name = filepath.Join(dir, "www", "index.html")
		}
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		n, err := f.ReadFrom(content.Body(w, i))
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if err != nil || n != e.ResponseBody {
			t.Fatalf("%s: %d bytes, %v", e.Path, n, err)
		}
		bytesWanted += n
	}
	address := testall.FreeAddress(t)
	conf := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error.log;
events { worker_connections 256; }
http {
  types { text/html html; image/png png; }
  log_format c "$connection $connection_requests $status $body_bytes_sent";
  access_log %[1]s/access.log c;
  client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  keepalive_requests 10;
  server { listen %[2]s; root %[1]s/www; }
}`, dir, address)
	if err := os.WriteFile(filepath.Join(dir, "conf"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	server := exec.Command(nginx, "-c", filepath.Join(dir, "conf"), "-p", dir, "-e", filepath.Join(dir, "error.log"))
	var said bytes.Buffer
	server.Stderr = &said
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		server.Process.Kill()
		server.Wait()
	}()
	for range 500 {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	for _, row := range []struct {
		strategy string
		opened   int // with keepalive_requests 10
	}{{"close", 41}, {"keep", 5}, {"close:6", 41}, {"pipeline", 5}, {"keep+1.0", 5}} {
		log := filepath.Join(dir, "access.log")
		if err := os.Truncate(log, 0); err != nil {
			t.Fatal(err)
		}
		out, errs, status := command(t, "get", "http://"+address+"/", "-s", row.strategy, "--json")
		if status != exitDone {
			t.Fatalf("%s: status %d: %s %s", row.strategy, status, errs, said.String())
		}
		var one trace.Trace
		if err := json.Unmarshal([]byte(out), &one); err != nil {
			t.Fatal(err)
		}
		var got int64
		for _, e := range one.Exchanges {
			got += e.ResponseBody
		}
		// nginx logs a request once its response is handed over: give it a moment.
		var connections map[string]bool
		var requests int
		for range 200 {
			b, err := os.ReadFile(log)
			if err != nil {
				t.Fatal(err)
			}
			connections, requests = map[string]bool{}, 0
			for line := range strings.Lines(string(b)) {
				connections[strings.Fields(line)[0]] = true
				requests++
			}
			if requests >= len(w.Exchanges) {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if len(one.Exchanges) != len(w.Exchanges) || got != bytesWanted {
			t.Errorf("%s: %d exchanges with %d bytes, want %d with %d", row.strategy, len(one.Exchanges), got, len(w.Exchanges), bytesWanted)
		}
		if len(one.Connections) != row.opened || len(connections) != row.opened || requests != len(w.Exchanges) {
			t.Errorf("%s: %d connections by us; nginx says %d with %d requests; want %d", row.strategy, len(one.Connections), len(connections), requests, row.opened)
		}
	}
}
