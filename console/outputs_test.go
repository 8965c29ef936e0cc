package console

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"linger/fault"
)

// streams are streams over files, of which what was written is read again.
func streams(t *testing.T, env map[string]string) (std Streams, out, err func() string) {
	t.Helper()
	open := func(name string) (*os.File, func() string) {
		f, err := os.Create(filepath.Join(t.TempDir(), name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f, func() string {
			b, err := os.ReadFile(f.Name())
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
	}
	o, out := open("out")
	e, err := open("err")
	return New(nil, o, e, func(name string) string { return env[name] }, "test"), out, err
}

// shown writes each ending by its name.
func shown(ending string, w io.Writer) error {
	_, err := io.WriteString(w, "as "+ending+"\n")
	return err
}

func TestWhereAResultGoes(t *testing.T) {
	for _, test := range []struct {
		name  string
		want  Wanted
		out   string
		files []string // that are written
	}{
		{"text, if nothing is asked for", Wanted{}, "as .txt\n", nil},
		{"JSON in place of text", Wanted{JSON: true}, "as .json\n", nil},
		{"JSON once", Wanted{JSON: true, Files: []string{"-", "-"}}, "as .json\n", nil},
		{"files beside text", Wanted{Files: []string{"a.json", "a.CSV"}}, "as .txt\n", []string{"a.json", "a.CSV"}},
		{"files alone", Wanted{Files: []string{"a.json"}, NoText: true}, "", []string{"a.json"}},
		{"files beside JSON", Wanted{Files: []string{"a.csv", "-"}, NoText: true}, "as .json\n", []string{"a.csv"}},
		{"what others write is left to them", Wanted{Files: []string{"a.har", "b.qlog"}}, "as .txt\n", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			std, out, _ := streams(t, nil)
			o, err := Open(std, test.want, ".json", ".csv", ".har", ".qlog")
			if err == nil {
				err = o.Write(shown)
			}
			if err != nil || out() != test.out {
				t.Errorf("standard output has %q, want %q; %v", out(), test.out, err)
			}
			all, _ := filepath.Glob("*")
			if len(all) != len(test.files) {
				t.Errorf("there are %q, want %q", all, test.files)
			}
			for _, name := range test.files {
				if b, err := os.ReadFile(name); err != nil || string(b) != "as "+strings.ToLower(filepath.Ext(name))+"\n" {
					t.Errorf("%s has %q, %v", name, b, err)
				}
			}
		})
	}
}

func TestWhatCannotBeWrittenIsRefusedBeforehand(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("folder.json", 0o777); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		files []string
		kind  fault.Kind
		says  string
	}{
		{[]string{"a.pdf"}, fault.WrongUsage, "-o a.pdf: the ending says the format; known here: .json .har"},
		{[]string{"a.json", "./a.json"}, fault.WrongUsage, "-o a.json and -o ./a.json are one file"},
		{[]string{"a.har", "b.har"}, fault.WrongUsage, "-o b.har: a.har takes the .har already"},
		{[]string{"folder.json"}, fault.MachineUnable, "is a folder"},
		{[]string{"nowhere/a.json"}, fault.MachineUnable, "choose a place that can be written"},
	} {
		std, _, _ := streams(t, nil)
		_, err := Open(std, Wanted{Files: test.files}, ".json", ".har")
		if fault.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%q: %v; want one of kind %d with %q", test.files, err, test.kind, test.says)
		}
	}
}

func TestAnErrorLeavesTheOldFile(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("a.json", []byte("old"), 0o666); err != nil {
		t.Fatal(err)
	}
	std, out, _ := streams(t, nil)
	o, err := Open(std, Wanted{Files: []string{"a.json"}}, ".json")
	if err != nil {
		t.Fatal(err)
	}
	defer o.Discard()
	err = o.Write(func(ending string, w io.Writer) error {
		if ending == ".json" {
			return errors.Join(shown(ending, w), errors.New("no room"))
		}
		return shown(ending, w)
	})
	if b, _ := os.ReadFile("a.json"); string(b) != "old" || out() != "as .txt\n" {
		t.Errorf("the file has %q, standard output %q", b, out())
	}
	if err == nil || err.Error() != "-o a.json: no room; it is as it was before" {
		t.Errorf("the error is %v", err)
	}
}

func TestNotesAreLegibleAndMayBeQuiet(t *testing.T) {
	std, _, said := streams(t, nil)
	std.Note("a\nline with \x1b[31m colour")
	std.Quiet = true
	std.Note("nothing of this")
	std.Fail(errors.New("but this"))
	if got := said(); strings.Count(got, "\n") != 2 || strings.Contains(got, "\x1b") || !strings.HasSuffix(got, "linger: but this\n") {
		t.Errorf("standard error has %q", got)
	}
}

func TestLayoutFollowsTheEnvironment(t *testing.T) {
	for _, test := range []struct {
		env   map[string]string
		width int
		ascii bool
	}{
		{nil, 0, false},
		{map[string]string{"COLUMNS": "132", "LANG": "en_US.UTF-8"}, 132, false},
		{map[string]string{"COLUMNS": "-1", "LANG": "C"}, 0, true},
		{map[string]string{"LC_ALL": "POSIX", "LANG": "en_US.UTF-8"}, 0, true},
		{map[string]string{"LC_ALL": "en_US.UTF-8", "LANG": "C"}, 0, false},
	} {
		std, _, _ := streams(t, test.env)
		if l := std.Layout(std.Out); l.Width != test.width || l.ASCII != test.ascii || l.Color || l.Version != "test" {
			t.Errorf("%v: %+v", test.env, l)
		}
	}
}
