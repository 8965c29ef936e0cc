package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"linger"
	"linger/compare"
	"linger/conformance"
	"linger/origin"
)

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// A verb is what completion needs to know of a command.
type verb struct {
	name, help string
	flags      []*kong.Flag
}

// values are the words that complete a flag's value or a verb's argument.
func values() map[string][]string {
	var strategies, networks, workloads, misbehaviours []string
	for _, f := range linger.Forms() {
		strategies = append(strategies, f.Name)
	}
	for _, n := range linger.Networks() {
		networks = append(networks, n.Name)
	}
	for _, w := range linger.Workloads() {
		workloads = append(workloads, w.Name)
	}
	for _, m := range origin.Misbehaviours() {
		misbehaviours = append(misbehaviours, m.Name)
	}
	cases := []string{"http/1.1", "h2", "h3", "tls"}
	for _, c := range conformance.Cases() {
		cases = append(cases, c.ID)
	}
	return map[string][]string{
		"strategies": strategies, "strategy": strategies, "network": networks, "misbehave": misbehaviours, "": workloads,
		"only": cases, "skip": cases, "assert": assertable(),
	}
}

// assertable are the names that begin an assertion, of every verb.
func assertable() []string {
	words := conformance.Words()
	each, all := compare.Names()
	for _, n := range slices.Concat(each, all, compare.TrafficVocabulary().Names) {
		if !slices.Contains(words, n.Name) {
			words = append(words, n.Name)
		}
	}
	return words
}

// completed are the flags whose values are completed by every shell.
var completed = []string{"strategies", "strategy", "network", "misbehave", "only", "skip", "assert"}

// Run prints the script; the README says where each shell wants it.
func (c completionCmd) Run(std streams, parser *kong.Kong) error {
	var verbs []verb
	for _, node := range parser.Model.Children {
		if !node.Hidden {
			verbs = append(verbs, verb{node.Name, node.Help, node.Flags})
		}
	}
	switch c.Shell {
	case "bash":
		return bashCompletion(std.out, verbs)
	case "zsh":
		return zshCompletion(std.out, verbs)
	default:
		return fishCompletion(std.out, verbs)
	}
}

func bashCompletion(w io.Writer, verbs []verb) error {
	var b strings.Builder
	b.WriteString("# bash completion of linger: source <(linger completion bash)\n_linger() {\n")
	b.WriteString("  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb=${COMP_WORDS[1]}\n")
	b.WriteString("  if [ \"$COMP_CWORD\" -eq 1 ]; then\n")
	fmt.Fprintf(&b, "    COMPREPLY=($(compgen -W %q -- \"$cur\")); return\n  fi\n  case $prev in\n", names(verbs))
	words := values()
	for _, flag := range completed {
		fmt.Fprintf(&b, "    --%s) COMPREPLY=($(compgen -W %q -- \"$cur\")); return;;\n", flag, strings.Join(words[flag], " "))
	}
	b.WriteString("  esac\n  case $verb in\n")
	for _, v := range verbs {
		fmt.Fprintf(&b, "    %s) [[ $cur == -* ]] && COMPREPLY=($(compgen -W %q -- \"$cur\")) || COMPREPLY=($(compgen -f -W %q -- \"$cur\"));;\n",
			v.name, flagNames(v), argumentWords(v, words))
	}
	b.WriteString("  esac\n}\ncomplete -F _linger linger\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func zshCompletion(w io.Writer, verbs []verb) error {
	var b strings.Builder
	b.WriteString("#compdef linger\n# zsh completion of linger: source <(linger completion zsh)\n_linger() {\n  if (( CURRENT == 2 )); then\n    local -a verbs=(\n")
	for _, v := range verbs {
		fmt.Fprintf(&b, "      '%s:%s'\n", v.name, strings.ReplaceAll(v.help, "'", "’"))
	}
	b.WriteString("    )\n    _describe verb verbs; return\n  fi\n  case $words[CURRENT-1] in\n")
	words := values()
	for _, flag := range completed {
		fmt.Fprintf(&b, "    --%s) compadd %s; return;;\n", flag, strings.Join(words[flag], " "))
	}
	b.WriteString("  esac\n  case $words[2] in\n")
	for _, v := range verbs {
		fmt.Fprintf(&b, "    %s) compadd -- %s; _files;;\n", v.name, strings.TrimSpace(flagNames(v)+" "+argumentWords(v, words)))
	}
	b.WriteString("  esac\n}\ncompdef _linger linger\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func fishCompletion(w io.Writer, verbs []verb) error {
	var b strings.Builder
	b.WriteString("# fish completion of linger: linger completion fish | source\n")
	words := values()
	for _, v := range verbs {
		fmt.Fprintf(&b, "complete -c linger -n __fish_use_subcommand -a %s -d %q\n", v.name, v.help)
		if a := argumentWords(v, words); a != "" {
			fmt.Fprintf(&b, "complete -c linger -n '__fish_seen_subcommand_from %s' -a %q\n", v.name, a)
		}
		for _, f := range v.flags {
			if f.Hidden {
				continue
			}
			fmt.Fprintf(&b, "complete -c linger -n '__fish_seen_subcommand_from %s' -l %s", v.name, f.Name)
			if w := words[f.Name]; w != nil {
				fmt.Fprintf(&b, " -x -a %q", strings.Join(w, " "))
			}
			fmt.Fprintf(&b, " -d %q\n", f.Help)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func names(verbs []verb) string {
	var out []string
	for _, v := range verbs {
		out = append(out, v.name)
	}
	return strings.Join(out, " ")
}

func flagNames(v verb) string {
	var out []string
	for _, f := range v.flags {
		if !f.Hidden {
			out = append(out, "--"+f.Name)
		}
	}
	return strings.Join(out, " ")
}

// argumentWords are the words that a verb takes besides files.
func argumentWords(v verb, words map[string][]string) string {
	switch v.name {
	case "compare", "sweep", "serve", "get":
		return strings.Join(words[""], " ")
	case "completion":
		return "bash zsh fish"
	}
	return ""
}
