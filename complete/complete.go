// Package complete says what may stand at the cursor of a command line, and has shells ask for
// it. It knows the words that flags take; which verbs and flags there are it is told in a Line.
package complete

import (
	"slices"
	"strings"

	"linger"
)

// A Line is what command lines are made of.
type Line struct {
	Flags   []Flag // of every verb
	Verbs   []Verb
	Clients []string // who may fetch
}

// A Verb has flags besides those of every verb.
type Verb struct {
	Name, Help string
	Flags      []Flag
	Hidden     bool
}

// A Flag is known by its names, without dashes.
type Flag struct {
	Name   string
	Short  rune // 0 if there is none
	Help   string
	Hidden bool
	Alone  bool     // what follows is a word of its own
	Enum   []string // what its value may be, if that is so few
	File   bool     // its value is a file
}

// An Answer is what may stand at a place of a command line.
type Answer struct {
	Words    []linger.Form
	Files    bool // or a file
	Commands bool // or a program
	More     bool // something may follow the word at once: no space does
}

// Find returns what the last of some words behind the program's name may be.
func (l Line) Find(words []string) Answer {
	if len(words) == 0 {
		words = []string{""}
	}
	typed, before := words[len(words)-1], words[:len(words)-1]
	i := slices.IndexFunc(before, func(w string) bool { return !strings.HasPrefix(w, "-") })
	if i < 0 {
		if strings.HasPrefix(typed, "-") {
			return begins(typed, names(l.Flags))
		}
		return begins(typed, l.verbs())
	}
	k := slices.IndexFunc(l.Verbs, func(v Verb) bool { return v.Name == before[i] })
	if k < 0 {
		return Answer{}
	}
	verb := l.Verbs[k]
	flags := slices.Concat(verb.Flags, l.Flags)
	if k := slices.Index(before, "--"); k >= 0 && verb.Name == "lab" {
		return Answer{Commands: k == len(before)-1, Files: k < len(before)-1}
	}
	if name, value, ok := strings.Cut(typed, "="); ok && strings.HasPrefix(name, "--") {
		if f := valued(flags, name); f != nil {
			return l.values(*f, verb.Name, value).behind(name + "=")
		}
	}
	if f := valued(flags, before[len(before)-1]); f != nil {
		return l.values(*f, verb.Name, typed)
	}
	if strings.HasPrefix(typed, "-") {
		return begins(typed, names(flags))
	}
	return l.arguments(verb.Name, typed)
}

// String is the answer as the scripts read it.
func (a Answer) String() string {
	how := "words"
	for _, o := range []struct {
		on   bool
		word string
	}{{a.Files, " files"}, {a.Commands, " commands"}, {a.More, " more"}} {
		if o.on {
			how += o.word
		}
	}
	lines := []string{how}
	for _, f := range a.Words {
		about := f.About
		for _, end := range []string{". ", ": ", "; "} { // its beginning says what it is
			about, _, _ = strings.Cut(about, end)
		}
		lines = append(lines, f.Name+"\t"+strings.TrimSuffix(about, "."))
	}
	return strings.Join(lines, "\n") + "\n"
}

// begins are those of some words that begin as typed.
func begins(typed string, words []linger.Form) Answer {
	return Answer{Words: slices.DeleteFunc(words, func(f linger.Form) bool { return !strings.HasPrefix(f.Name, typed) })}
}

// behind has each word begin with what stands before it already.
func (a Answer) behind(begun string) Answer {
	for i := range a.Words {
		a.Words[i].Name = begun + a.Words[i].Name
	}
	return a
}

// verbs are those that are shown.
func (l Line) verbs() (words []linger.Form) {
	for _, v := range l.Verbs {
		if !v.Hidden {
			words = append(words, linger.Form{Name: v.Name, About: v.Help})
		}
	}
	return words
}

// names are those of the flags that are shown.
func names(flags []Flag) (words []linger.Form) {
	for _, f := range flags {
		if !f.Hidden {
			words = append(words, linger.Form{Name: "--" + f.Name, About: f.Help})
		}
	}
	return words
}

// valued is the flag of that name that wants a value, nil if there is none.
func valued(flags []Flag, word string) *Flag {
	i := slices.IndexFunc(flags, func(f Flag) bool {
		return !f.Alone && (word == "--"+f.Name || f.Short != 0 && word == "-"+string(f.Short))
	})
	if i < 0 {
		return nil
	}
	return &flags[i]
}
