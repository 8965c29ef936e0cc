package main

import (
	"bytes"
	"context"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"linger/flags"
	"linger/legible"
)

// runLine runs a command line in this process, and returns its status and what it wrote.
func runLine(t *testing.T, args ...string) (status int, said, out string) {
	t.Helper()
	var files [3]*os.File
	for i := range files {
		f, err := os.CreateTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files[i] = f
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := dispatch(ctx, args, streamsOf(files[0], files[1], files[2], func(string) string { return "" }))
	status, _ = exit(ctx, err)
	read := func(f *os.File) string {
		b, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if said = read(files[2]); err != nil {
		said += "linger: " + legible.Note(err.Error()) + "\n"
	}
	return status, said, read(files[1])
}

// wrongly holds that a command line is refused: status 2, and a line that says why.
func wrongly(t *testing.T, why string, args ...string) {
	t.Helper()
	status, said, out := runLine(t, args...)
	line := strings.TrimSuffix(said[strings.LastIndex("\n"+strings.TrimSuffix(said, "\n"), "\n"):], "\n")
	if status != exitUsage || out != "" || len(line) < 20 || !regexp.MustCompile(why).MatchString(line) {
		t.Errorf("linger %s: status %d, %q (and %q); want 2, %q", strings.Join(args, " "), status, said, out, why)
	}
}

// Every flag of every verb that takes a value refuses one that is none.
func TestWrongValues(t *testing.T) {
	t.Chdir(t.TempDir())
	base := map[string][]string{
		"compare": {"textbook", "--on", "sim"}, "sweep": {"textbook"}, "get": {"http://127.0.0.1:1/"}, "report": {"absent.trace"},
		"serve": {"absent.txt"}, "lab": {"--serve", "absent.txt", "--", "true"}, "probe": {"http://127.0.0.1:1/"}, "inspect": {"absent.pcap"},
	}
	// What takes any text.
	anything := []string{"user-agent", "data", "unix-socket", "origin-command"}
	var c cli
	parser, err := newParser(&c, &bytes.Buffer{}, &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, v := range parser.Model.Children {
		for _, f := range v.Flags {
			if v.Hidden || f.IsBool() || f.Name == "help" || f.Name == "version" {
				continue
			}
			for _, value := range []string{"?!", "-1"} {
				if slices.Contains(anything, f.Name) && v.Name != "compare" || value == "-1" && !f.Target.CanInt() && !f.Target.CanUint() {
					continue
				}
				args := append([]string{v.Name, "--" + f.Name + "=" + value}, base[v.Name]...)
				if v.Name == "compare" { // where the last of a flag's values counts
					args = append(append([]string{v.Name}, base[v.Name]...), "--"+f.Name+"="+value)
				}
				tried++
				wrongly(t, "^linger: .", args...)
			}
		}
	}
	if tried < 150 {
		t.Errorf("only %d values were tried", tried)
	}
}

// What is no URL is said to be none, or why it is not asked.
func TestWrongURLs(t *testing.T) {
	t.Chdir(t.TempDir())
	for url, why := range map[string]string{
		"http://127.0.0.1:0/":           "0 is no port; give 1 to 65535",
		"http://127.0.0.1:65536/":       "65536 is no port",
		"https://127.0.0.1:99999":       "99999 is no port",
		"127.0.0.1:99999":               "99999 is no port",
		"localhost:0/x":                 "0 is no port",
		"http://127.0.0.1:-1/":          "is not a URL; write http",
		"http://127.0.0.1:abc/":         "is not a URL; write http",
		"http:///":                      "write http",
		"http://":                       "write http",
		"http://:80/":                   "write http",
		"http://a b/":                   "is not a URL; write http",
		"http://[::1/":                  "is not a URL; write http",
		"http://[zz]/":                  "is not a URL; write http",
		"http://127.0.0.1/%zz":          "is not a URL; write http",
		"http://user:secret@127.0.0.1/": "are not sent from a URL; give them by -u",
		"ftp://127.0.0.1/":              "write http",
		"file:///etc/passwd":            "write http",
		"javascript:alert(1)":           ".",
		"//127.0.0.1/":                  ".",
		":80":                           ".",
		"[::1":                          ".",
		"-":                             ".",
		" ":                             ".",
		"":                              ".",
		"a\nb":                          ".",
		"gallery:80":                    ".",
		"absent.har":                    ".",
		"./absent":                      ".",
	} {
		for _, verb := range []string{"get", "compare", "probe"} {
			wrongly(t, why, verb, url)
		}
	}
	for _, verb := range []string{"serve", "sweep"} {
		wrongly(t, "is a URL", verb, "http://127.0.0.1/")
	}
}

// A host without a scheme is asked by http, as curl does, and that is said.
func TestHostsWithoutAScheme(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("here.example", []byte("/ 100\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for argument, want := range map[string]string{
		"localhost:8080/x": "http://localhost:8080/x", "[::1]:80": "http://[::1]:80", "127.0.0.1": "http://127.0.0.1", "[::1]": "http://[::1]",
		"example.com": "http://example.com", "example.com/a.har": "http://example.com/a.har", "localhost": "http://localhost", "app:443/?q": "http://app:443/?q",
		"bücher.example": "http://bücher.example",
		"gallery":        "gallery", "objects:3x100": "objects:3x100", "gallery:80": "gallery:80", "page.har": "page.har", "list.txt": "list.txt",
		"here.example": "here.example", "./x.example": "./x.example", "/tmp/x": "/tmp/x", "app": "app", "app/x": "app/x", "app:x": "app:x",
		"https://a": "https://a", "": "", "-x": "-x",
	} {
		std := streamsOf(os.Stdin, os.Stdout, os.Stderr, os.Getenv)
		std.Quiet = true
		if got := flags.AsURL(argument, std); got != want {
			t.Errorf("%q is taken as %q, want %q", argument, got, want)
		}
	}
	if status, said, _ := runLine(t, "probe", "127.0.0.1:1", "--timeout", "5s"); status != exitUnreachable || !strings.HasPrefix(said, "linger: 127.0.0.1:1 is taken as http://127.0.0.1:1, as curl takes it; write https:// for TLS\n") {
		t.Errorf("status %d, %q", status, said)
	}
	if status, said, _ := runLine(t, "-q", "probe", "127.0.0.1:1", "--timeout", "5s"); status != exitUnreachable || said != "linger: cannot connect to 127.0.0.1:1: connection refused\n" {
		t.Errorf("quiet: status %d, %q", status, said)
	}
}

// What cannot be read as a command line is answered by what was meant, or what there is.
func TestAdvice(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"page.har", "a.pcap", "list"} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for line, why := range map[string]string{
		"comprae":                        "did you mean linger compare",
		"frobnicate":                     "^linger: unknown verb frobnicate; known: compare, sweep,",
		"https://example.com/":           "linger get https://example.com/ fetches it, linger compare",
		"https://me:secret@example.com/": "linger get https://example.com/ fetches it",
		"localhost:80":                   "linger get localhost:80 fetches it",
		"page.har":                       "linger report page.har draws it",
		"a.pcap":                         "linger inspect a.pcap finds",
		"get":                            "the URL is missing; write linger get https://example.com/",
		"report":                         "the file is missing",
		"lab":                            "the command is missing; write linger lab -- curl",
		"completion":                     "the shell is missing",
		"completion tcsh":                "one of \"bash\",\"zsh\",\"fish\", and not \"tcsh\"",
		"probe":                          "name a URL, or a list of them by -f FILE",
		"probe list":                     "list is a file; .* linger probe -f list",
		"inspect":                        "name a capture",
		"help nonsense":                  "unknown verb nonsense",
		"help get x":                     "too many",
		"get a b":                        "b is one argument too many; linger get --help",
		"get --tiemout 3s http://a":      "unknown flag --tiemout; did you mean --timeout",
		"get --trials 3 http://a":        "it is a flag of linger compare, sweep",
		"get -L http://a":                "redirects within the origin are followed",
		"get -n 100 -c 10 http://a":      "objects:100x1000",
		"get -s http://a":                "-s names a strategy here, and http://a is none; curl's -s is -q",
		"get --nonsense":                 "unknown flag --nonsense; linger get --help lists",
		"get http://a --rtt":             "--rtt: its value is missing",
		"get http://a --wide=perhaps":    "neither true nor false",
		"compare --trials x":             `--trials: "x" is no whole number`,
		"compare --seed=-1":              `--seed: "-1" is no whole number from 0 up`,
		"inspect a --port 99999":         `--port: "99999" is no whole number from 0 to 65535`,
		"inspect a --from 9s --to 5s":    "--to 5s is before --from 9s",
		"probe --timeout soon http://a":  `--timeout: "soon" is not a duration; write`,
		"probe -m soon http://a":         `--max-time: "soon" is no number of seconds`,
		"serve --listen nowhere.invalid": `"nowhere.invalid" is no address of this host`,
		"serve -p 65536":                 "--port: 65536; give 1 to 65535",
		"serve --http=:-1":               "is neither a port nor an address with one",
	} {
		wrongly(t, why, strings.Fields(line)...)
	}
}

// help and version are verbs and flags alike.
func TestHelpAndVersion(t *testing.T) {
	for _, same := range [][][]string{
		{{"help", "get"}, {"get", "--help"}}, {{"help"}, {"--help"}, {}}, {{"version"}, {"--version"}}, {{"help", "help"}, {"help", "--help"}},
	} {
		_, _, want := runLine(t, same[0]...)
		if strings.Count(want, "\n") == 0 {
			t.Errorf("%v says %q", same[0], want)
		}
		for _, args := range same[1:] {
			if status, said, got := runLine(t, args...); status != exitDone || said != "" || got != want {
				t.Errorf("%v: status %d, %q, %q; want %q", args, status, said, got, want)
			}
		}
	}
	if _, _, said := runLine(t, "version"); !regexp.MustCompile(`^linger \S+, commit [^\n]+, go\S+ \w+/\w+\n$`).MatchString(said) {
		t.Errorf("%q", said)
	}
}
