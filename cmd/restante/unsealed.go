//go:build !unsealedserve

package main

// servesUnsealed lets a program that keeps everything in clear (the tag unsealed) run
// as a relay: never, but in the tests' control of the search for readable data.
const servesUnsealed = false
