package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"linger/live"
)

// TestAsCurl holds what a server hears of get against what it hears of curl, which was given
// the same flags.
func TestAsCurl(t *testing.T) {
	curl := program(t, "curl", "curl")
	var mu sync.Mutex
	var heard []string
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		heard = append(heard, fmt.Sprintf("%s %s host=%s ua=%q accept=%q auth=%q x=%q type=%q content=%q", r.Method, r.RequestURI, r.Host,
			r.Header.Values("User-Agent"), r.Header.Values("Accept"), r.Header.Values("Authorization"), r.Header.Values("X-A"), r.Header.Values("Content-Type"), content))
	})}
	defer server.Close()
	dir := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(l)
	path := filepath.Join(dir, "socket")
	u, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(u)
	for name, text := range map[string]string{"content": "c=d\r\ne\n", "fields": "X-A: 3\nX-A: 4\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	here := "http://127.0.0.1:" + port + "/p?q=1"
	for _, args := range [][]string{
		{here, "-A", "a/1"},
		{here, "-A", "a/1", "-H", "X-A: 1", "-H", "Accept:", "-H", "X-A: 2"},
		{here, "-A", "a/1", "-H", "Host: b.example", "-H", "accept: image/*"},
		{here, "-A", "a/1", "-H", "@" + filepath.Join(dir, "fields"), "-u", "me:sec:ret"},
		{here, "-A", "a/1", "-d", "a=b", "-d", "@" + filepath.Join(dir, "content")},
		{here, "-A", "a/1", "-X", "PUT", "-d", "a=b", "-H", "Content-Type: text/plain"},
		{here, "-A", "a/1", "-X", "DELETE"},
		{"http://a.example:" + port + "/", "-A", "a/1", "--resolve", "a.example:" + port + ":127.0.0.1"},
		{"http://a.example/", "-A", "a/1", "--connect-to", "a.example:80:127.0.0.1:" + port},
		{"http://a.example/", "-A", "a/1", "--unix-socket", path},
		{"http://localhost:" + port + "/", "-A", "a/1", "-4", "--max-time", "20"},
	} {
		heard = nil
		if out, err := exec.Command(curl, append([]string{"-s", "-S"}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("curl %q: %v: %s", args, err, out)
		}
		if _, said, status := command(t, append([]string{"get", "--http1.1"}, args...)...); status != exitDone {
			t.Errorf("get %q: status %d: %s", args, status, said)
		}
		if len(heard) != 2 || heard[0] != heard[1] {
			t.Errorf("%q: of curl and of us is heard\n%s", args, strings.Join(heard, "\n"))
		}
	}
}

// TestSecretsStay shows that nothing of what may be secret is repeated by what a verb writes.
func TestSecretsStay(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, ok := r.BasicAuth(); !ok || user != "me" || password != "hush" || r.Header.Get("X-Token") != "hush" {
			w.WriteHeader(http.StatusUnauthorized)
		}
		w.Header().Set("Content-Type", "text/html")
	}))
	defer server.Close()
	dir := t.TempDir()
	secrets := []string{"-u", "me:hush", "-H", "X-Token: hush", "-d", "hush"}
	for _, args := range [][]string{
		{"get", server.URL, "-o", "g.html", "-o", "g.json", "-o", "g.har", "-o", "g.trace", "-o", "g.txt"},
		{"compare", server.URL, "--on", "live", "--trials", "1", "-s", "close", "-o", "c.html", "-o", "c.json", "-o", "c.trace", "-o", "c.txt"},
		{"probe", server.URL, "--only", "close-honoured", "--timeout", "2s", "-o", "p.html", "-o", "p.json", "-o", "p.txt"},
	} {
		for i, a := range args {
			if i > 0 && args[i-1] == "-o" {
				args[i] = filepath.Join(dir, a)
			}
		}
		out, said, status := command(t, append(args, secrets...)...)
		if status != exitDone {
			t.Errorf("%q: status %d: %s", args, status, said)
		}
		if strings.Contains(out+said, "hush") {
			t.Errorf("%q prints a secret:\n%s%s", args, out, said)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 12 {
		t.Fatalf("%d files were written, %v", len(files), err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "p.json")); err != nil || !strings.Contains(string(b), `"status": 200`) {
		t.Errorf("the probe was not let in, %v", err)
	}
	for _, f := range files {
		if b, err := os.ReadFile(f); err != nil || strings.Contains(string(b), "hush") || strings.Contains(string(b), "bWU6aHVzaA") {
			t.Errorf("%s repeats a secret, %v", filepath.Base(f), err)
		}
	}
}

func TestReachFlags(t *testing.T) {
	f := reachFlags{Header: []string{"X-Token: hush", "@fields"}, User: "me:hush", Data: []string{"hush"}, Resolve: []string{"a:80:192.0.2.1"}, Insecure: true, HTTP2: true}
	want := []string{"--insecure", "--header", "'X-Token: …'", "--header", "@fields", "--user", "…", "--data", "…", "--resolve", "a:80:192.0.2.1", "--http2"}
	if diff := cmp.Diff(want, f.words()); diff != "" {
		t.Errorf("the command line to repeat it (-want +got):\n%s", diff)
	}
	for name, bad := range map[string]reachFlags{
		"a key without a certificate": {Key: "k.pem"}, "no such file": {CACert: "nowhere.pem"}, "a method with a space": {Request: "GET /"},
		"a field of the connection": {Header: []string{"Connection: close"}}, "no password": {User: "me"}, "both families": {IPv4: true, IPv6: true},
		"no address": {Resolve: []string{"a:80"}}, "no detour": {ConnectTo: []string{"a:80"}}, "a file that is not there": {Data: []string{"@nowhere"}},
	} {
		if config, err := bad.liveConfig(); err == nil {
			t.Errorf("%s: %+v, want an error", name, config)
		}
	}
	for _, c := range []struct {
		flags       reachFlags
		list, usual string
		want        string // empty is an error
	}{
		{reachFlags{}, "close,h2", "keep", "close,h2"},
		{reachFlags{HTTP2: true}, "", "close,keep:6,h2,h3", "h2"},
		{reachFlags{HTTP1: true}, "", "close,keep:6,h2,h3", "close,keep:6"},
		{reachFlags{HTTP3: true}, "h3,h3+0rtt", "keep", "h3,h3+0rtt"},
		{reachFlags{HTTP3: true}, "h3,keep", "keep", ""},
		{reachFlags{HTTP3: true}, "", "close,keep", ""},
		{reachFlags{HTTP3: true, HTTP2: true}, "", "close,h2", ""},
	} {
		got, err := c.flags.narrow(c.list, c.usual)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%+v of %q: %q, %v, want %q", c.flags, c.list, got, err, c.want)
		}
	}
	for text, ok := range map[string]bool{"30": true, "2.5": true, "0": false, "-1": false, "1m": false, "1e12": false} {
		if d, err := (reachFlags{MaxTime: text}).within("1m"); (err == nil) != ok {
			t.Errorf("--max-time %s: %v, %v", text, d, err)
		}
	}
	if _, err := (live.Config{}).Towards("http://me:hush@a.example/"); err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("a password in a URL: %v", err)
	}
}
