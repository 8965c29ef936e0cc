package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What may stand at the end of a command line.
func TestCompletion(t *testing.T) {
	var c cli
	parser, err := newParser(&c, &bytes.Buffer{}, &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"co":                           "compare completion",
		"-q co":                        "compare completion",
		"--q":                          "--quiet",
		"nonsense ":                    "",
		"compare --st":                 "--strategies",
		"compare -s clo":               "close …",
		"compare -s close,k":           "close,keep …",
		"compare --strategies=close,k": "--strategies=close,keep …",
		"compare -s tcp+k":             "tcp+keep …",
		"compare -s close,tcp+keep+p":  "…",
		"compare -s h3+":               "h3+resume h3+0rtt …",
		"get -s ke":                    "keep …",
		"compare --network lte,sat":    "lte,satellite …",
		"get --network sat":            "satellite",
		"compare --on lab,s":           "lab,sim …",
		"compare --browser linger,":    "linger,chromium …",
		"compare --scheme ":            "http https",
		"compare --close-style ":       "fin rst",
		"compare gal":                  "gallery FILES",
		"get gal":                      "gallery",
		"get http://a ":                "gallery microscape api textbook objects dns",
		"inspect ":                     "FILES",
		"compare --ladder close,k":     "close,keep …",
		"report x.trace --ladder al":   "all …",
		"get --ladder gal":             "gallery", // needs no value
		"compare -o x.mm":              "x.mmd FILES",
		"inspect --software ng":        "nginx",
		"inspect -o a.p":               "a.parquet a.prom a.pcapng FILES",
		"compare -o dir.d/x.j":         "dir.d/x.json FILES",
		"compare -o ":                  "FILES",
		"get --cacert ":                "FILES",
		"get -H ":                      "",
		"serve --dns gal":              "gallery FILES", // may stand alone
		"serve --misbehave black":      "black-hole",
		"probe --only h2,http10-cl":    "h2,http10-closes …",
		"lab --serve tex":              "textbook FILES",
		"lab -- ":                      "COMMANDS",
		"lab -- curl ":                 "FILES",
		"completion ":                  "bash zsh fish",
		"help se":                      "serve",
		"doctor ":                      "",
	} {
		found := lineOf(parser.Model).Find(strings.Split(line, " "))
		var got []string
		for _, w := range found.Words {
			got = append(got, w.Name)
		}
		for _, how := range []struct {
			on   bool
			word string
		}{{found.Files, "FILES"}, {found.Commands, "COMMANDS"}, {found.More, "…"}} {
			if how.on {
				got = append(got, how.word)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q, want %q", line, strings.Join(got, " "), want)
		}
	}
}

// shellWith puts a program called linger, which is this one, before all others.
func shellWith(t *testing.T, shell string) string {
	t.Helper()
	path, err := exec.LookPath(shell)
	if err != nil {
		skip(t, "completion is tried with %s: %v", shell, err)
	}
	folder := t.TempDir()
	script := "#!/bin/sh\nexec '" + os.Args[0] + "' linger \"$@\"\n"
	if err := os.WriteFile(filepath.Join(folder, "linger"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", folder+":"+os.Getenv("PATH"))
	t.Chdir(t.TempDir())
	if err := os.WriteFile("capture.pcap", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Each shell offers it.
func TestCompletionInShells(t *testing.T) {
	for _, shell := range []struct{ name, ask string }{
		// What readline does: it breaks words at : and = and takes what is behind the last.
		{"bash", `source <(linger completion bash); COMP_LINE=$1 COMP_POINT=${#1}; _linger; printf '%s\n' "${COMPREPLY[@]}"`},
		{"fish", `linger completion fish | source; complete -C $argv[1]`},
		// Its completions show in a terminal alone: here compadd's words are listed instead.
		{"zsh", `compdef() { }; compset() { }; compadd() { }; _files() { print -l *(N) }
			_describe() { local w; for w in "${(@P)2}"; do print -r -- "${${w//\\:/$'\1'}%%:*}" | tr '\1' ':'; done }
			source <(linger completion zsh); words=("${(@s: :)1}"); CURRENT=$#words; _linger`},
	} {
		t.Run(shell.name, func(t *testing.T) {
			path := shellWith(t, shell.name)
			for line, want := range map[string]string{
				"linger comple":               "completion",
				"linger compare -s close,k":   "close,keep",
				"linger compare --network=sa": map[string]string{"bash": "satellite"}[shell.name],
				"linger compare -s keep:6,cl": map[string]string{"bash": "6,close"}[shell.name],
				"linger inspect capt":         "capture.pcap",
				"linger serve --close-style ": "fin rst",
			} {
				if want == "" {
					continue
				}
				args := []string{"-c", shell.ask, shell.name, line}
				if shell.name == "fish" {
					args = []string{"--no-config", "-c", shell.ask, line}
				}
				out, err := exec.Command(path, args...).CombinedOutput()
				if err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				var got []string
				for l := range strings.Lines(string(out)) {
					word, _, _ := strings.Cut(strings.TrimSpace(l), "\t")
					got = append(got, word)
				}
				slices.Sort(got)
				if strings.Join(got, " ") != want {
					t.Errorf("%q: %q, want %q", line, got, want)
				}
			}
		})
	}
}
