package main

import (
	"cmp"
	"fmt"
	"runtime"
	"strings"

	"github.com/alecthomas/kong"

	"linger/browser"
	"linger/build"
	"linger/complete"
	"linger/console"
	"linger/fault"
	"linger/lab"
	"linger/report/document"
	"linger/report/text"
	"linger/rig"
)

// version is what JSON carries, and with the build behind it what linger version prints; a
// release sets it with -ldflags "-X main.version=v1.2.3".
var version = build.Version()

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(std console.Streams) error {
	_, err := fmt.Fprintln(std.Out, build.About(version))
	return err
}

// helpCmd is linger help VERB, which is read as linger VERB --help.
type helpCmd struct {
	Verb string `arg:"" optional:"" help:"What to explain; without it all there is."`
}

// asHelp returns the arguments with a leading help as the flag at its verb's end.
func asHelp(args []string) []string {
	if len(args) == 0 {
		return []string{"--help"}
	}
	if args[0] != "help" || len(args) > 2 || strings.HasPrefix(cmp.Or(append(args, "")[1], "x"), "-") {
		return args
	}
	return append(args[1:], "--help")
}

// Run shows the help of help.
func (helpCmd) Run(parser *kong.Kong) error {
	_, err := parser.Parse([]string{"--help"})
	return err
}

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Run prints the script.
func (c completionCmd) Run(std console.Streams) error {
	_, err := fmt.Fprint(std.Out, complete.Script(c.Shell))
	return err
}

// completeCmd is what the scripts ask.
type completeCmd struct {
	Words []string `arg:"" optional:"" passthrough:"" help:"The words behind linger, the last as far as it is typed."`
}

// Run prints what may stand in place of the last word.
func (c completeCmd) Run(std console.Streams, parser *kong.Kong) error {
	words := c.Words
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	_, err := fmt.Fprint(std.Out, lineOf(parser.Model).Find(words))
	return err
}

// lineOf is what kong knows of command lines.
func lineOf(all *kong.Application) complete.Line {
	line := complete.Line{Flags: flagsOf(all.Flags), Clients: []string{rig.OwnClient, browser.Chromium}}
	for _, v := range all.Children {
		line.Verbs = append(line.Verbs, complete.Verb{Name: v.Name, Help: v.Help, Flags: flagsOf(v.Flags), Hidden: v.Hidden})
	}
	return line
}

func flagsOf(flags []*kong.Flag) (out []complete.Flag) {
	for _, f := range flags {
		_, alone := f.Target.Interface().(place)
		one := complete.Flag{
			Name: f.Name, Short: f.Short, Help: f.Help, Hidden: f.Hidden, Alone: alone || f.IsBool(),
			File: f.PlaceHolder == "FILE" || f.PlaceHolder == "PATH",
		}
		if f.Enum != "" {
			one.Enum = strings.Split(f.Enum, ",")
		}
		out = append(out, one)
	}
	return out
}

type doctorCmd struct {
	JSON bool `help:"Print JSON."`
}

// Run prints what the lab wants of this machine and whether it has it; exit
// status 3 says that no lab can be made here.
func (c doctorCmd) Run(std console.Streams) error {
	findings := lab.Check()
	able := len(findings) > 0
	for _, f := range findings {
		able = able && (f.OK || !f.Needed)
	}
	var checks []text.Check
	for _, f := range findings {
		check := text.Check{Name: f.Name, OK: f.OK, Needed: f.Needed, Found: f.Found, Gives: f.Gives, Fix: f.Fix}
		for _, w := range f.Ways {
			check.Ways = append(check.Ways, text.Way(w))
		}
		checks = append(checks, check)
	}
	doctor := document.Doctor{Linger: version, System: runtime.GOOS, Lab: able, Checks: checks}
	if err := doctor.Write(std.Out, c.JSON, std.Layout(std.Out)); err != nil {
		return err
	}
	if !able {
		return fault.Machine("no lab can be made on this machine; what is marked FAIL above says how to permit it")
	}
	return nil
}
