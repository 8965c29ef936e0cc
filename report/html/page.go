package html

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"sync"
)

//go:embed page
var pageFiles embed.FS

// pageStyle and pageScript are the only ones of the page; its policy knows them by their
// hashes, and permits nothing else, nor any request.
var (
	pageStyle  = asset("page/style.css")
	pageScript = asset("page/script.js")
)

// pageHTML returns the templates. They are parsed when the first page is written: this program
// starts three times for each trial in the lab, and writes none there.
var pageHTML = sync.OnceValue(func() *template.Template {
	return template.Must(template.ParseFS(pageFiles, "page/*.html"))
})

func asset(name string) string {
	b, err := pageFiles.ReadFile(name)
	if err != nil {
		panic(err) // it was there when the program was built
	}
	return string(b)
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// pagePolicy is the Content-Security-Policy of a page: its own style and script, no
// request, and where it has a simulator, WebAssembly.
func pagePolicy(explores bool) string {
	policy := "default-src 'none'; style-src " + hash(pageStyle) + "; script-src " + hash(pageScript)
	if explores {
		policy += " " + hash(exploreScript) + " 'wasm-unsafe-eval'"
	}
	return policy + "; base-uri 'none'; form-action 'none'"
}
