package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"linger/browser"
)

func TestBrowserRefusals(t *testing.T) {
	dir, lists := t.TempDir(), 0
	list := func(content string) string {
		lists++
		name := filepath.Join(dir, fmt.Sprint(lists, ".txt"))
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	for _, test := range []struct{ args, want string }{
		{"gallery --browser chromium -s keep", "six connections an origin"},
		{"gallery --browser chromium -s h2+resume", "six connections an origin"},
		{"gallery --browser chromium -s h2 --scheme http", "over TLS only"},
		{"api --browser chromium", "begins with a page"},
		{list("/ 9000 - type=text/html\n/a/../b 10 /\n") + " --browser chromium", "asks for /a/../b as /b; write it so"},
		{list("/ 9000 - type=text/html\n/a#b 10 /\n") + " --browser chromium", "asks for /a#b as /a; write it so"},
		{list("/ 9000 - type=text/html\n/a?'x 10 /\n") + " --client chromium", "asks for /a?'x as /a?%27x; write it so"},
		{list("/ 9000 - type=text/html\n/b 10 -\n") + " --browser chromium", "depends on nothing"},
		{list("/ 9000 - type=text/html\nTRACE:/b 10 /\n") + " --browser chromium", "no page can have a browser send TRACE"},
		{list("/a.png 9000 -\n") + " --browser chromium", "begin with an HTML page"},
		{"dns --browser chromium", "looks no names up"},
		{"gallery --browser firefox", "no client that is known here"},
		{"gallery --browser chromium,chromium", "stands twice"},
		{"gallery --browser chromium --think 1s", "waits as it likes"},
	} {
		_, errs, status := command(t, append([]string{"compare"}, strings.Fields(test.args)...)...)
		if status != exitUsage || !strings.Contains(errs, test.want) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%s: status %d, %s", test.args, status, errs)
		}
	}
}

func needBrowser(t *testing.T) {
	t.Helper()
	needLab(t)
	if _, err := browser.Find(); err != nil {
		skip(t, "%v", err)
	}
}

// TestGetByBrowser fetches once by Chromium, in whose name the result is.
func TestGetByBrowser(t *testing.T) {
	needBrowser(t)
	out, errs, status := command(t, "get", "textbook:3", "--browser", "chromium", "-s", "keep:6", "--network", "lan", "--json")
	if status != exitDone || !strings.Contains(out, `"strategy": "chromium-keep:6"`) {
		t.Errorf("status %d, %s, %s", status, errs, out)
	}
	for args, want := range map[string]string{
		"get http://127.0.0.1:1/ --browser chromium":      "measured in the lab",
		"get gallery --browser chromium,linger -s keep:6": "one fetch has one client",
		"get gallery --client chromium -s h3 -o x.qlog":   "linger's own QUIC",
		"get gallery --browser firefox":                   "no client that is known here",
	} {
		_, errs, status := command(t, strings.Fields(args)...)
		if status != exitUsage || !strings.Contains(errs, want) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%s: status %d, %s", args, status, errs)
		}
	}
}

func TestNoBrowser(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, errs, status := command(t, "compare", "--browser", "chromium")
	if status != exitMachine || !strings.Contains(errs, "apt install chromium") {
		t.Errorf("status %d, %s", status, errs)
	}
}
