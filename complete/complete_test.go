package complete

import (
	"strings"
	"testing"
)

var line = Line{
	Flags:   []Flag{{Name: "quiet", Short: 'q', Alone: true}},
	Clients: []string{"one", "two"},
	Verbs: []Verb{
		{Name: "compare", Help: "One workload. More of it.", Flags: []Flag{
			{Name: "strategies", Short: 's'}, {Name: "browser"}, {Name: "secret", Hidden: true},
			{Name: "style", Enum: []string{"fin", "rst"}}, {Name: "key", File: true},
			{Name: "output", Help: "Write: .json, .html or .json."},
		}},
		{Name: "complete", Hidden: true},
	},
}

func TestAnswers(t *testing.T) {
	for typed, want := range map[string]string{
		"":                          "words|compare\tOne workload",
		"-":                         "words|--quiet\t",
		"compare --s":               "words|--strategies\t|--style\t",
		"compare -q --style ":       "words|fin\t|rst\t",
		"compare --style=r":         "words|--style=rst\t",
		"compare --browser one,":    "words more|one,two\t",
		"compare --key ":            "words files",
		"compare -o x --output a.j": "words files|a.json\t",
		"complete --output ":        "words",
		"nonsense ":                 "words",
	} {
		got := strings.ReplaceAll(strings.TrimSuffix(line.Find(strings.Split(typed, " ")).String(), "\n"), "\n", "|")
		if got != want {
			t.Errorf("%q: %q, want %q", typed, got, want)
		}
	}
}

func TestThereIsAScriptForEachShell(t *testing.T) {
	for _, shell := range Shells {
		if s := Script(shell); !strings.Contains(s, "linger completion "+shell) || !strings.Contains(s, "complete --") {
			t.Errorf("the script of %s does not ask linger:\n%s", shell, s)
		}
	}
	if Script("../complete") != "" {
		t.Error("there is a script of no shell")
	}
}
