"""The code file of the promptfoo export: fixed text, case data only ever reaches it as data."""

from __future__ import annotations

HELPER = r"""// Written by TraceHub. Checks the assertions that promptfoo has no type for.
// promptfoo calls it with the output and a context; `context.config` is the assertion.
'use strict';

function parsed(output) {
  if (typeof output !== 'string') return output;
  try { return JSON.parse(output); } catch (error) { return undefined; }
}

function text(output) {
  return typeof output === 'string' ? output : JSON.stringify(output);
}

function equal(a, b) {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => Object.hasOwn(b, key) && equal(a[key], b[key]));
}

// Every key of `part` is in `whole` with an equal value; objects inside likewise.
function within(part, whole) {
  if (typeof part !== 'object' || part === null || Array.isArray(part)) return equal(part, whole);
  if (typeof whole !== 'object' || whole === null || Array.isArray(whole)) return false;
  const keys = Object.keys(part);
  return keys.every((key) => Object.hasOwn(whole, key) && within(part[key], whole[key]));
}

function at(value, pointer) {
  let found = value;
  for (const part of pointer.split('/').slice(1)) {
    const key = part.replace(/~1/g, '/').replace(/~0/g, '~');
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined;
    if (Array.isArray(found) && !/^(0|[1-9][0-9]*)$/.test(key)) return undefined;
    found = found[key];
  }
  return found;
}

function calls(output) {
  const value = parsed(output);
  const list = Array.isArray(value) ? value : value && (value.tool_calls || value.toolCalls);
  if (!Array.isArray(list)) return [];
  return list.filter((call) => call && typeof call === 'object').map((call) => {
    const made = call.function || call;
    const given = made.arguments !== undefined ? made.arguments : made.input;
    const read = typeof given === 'string' ? parsed(given) : given;
    return { name: made.name, arguments: read === undefined ? {} : read };
  });
}

function cited(output, id) {
  const value = parsed(output);
  const list = value && typeof value === 'object' ? value.citations : undefined;
  const named = (item) => (item && typeof item === 'object' ? item.id === id : item === id);
  if (Array.isArray(list) && list.some(named)) return true;
  return text(output).includes(id);
}

function verdict(pass, reason) {
  return { pass, score: pass ? 1 : 0, reason };
}

const CHECKS = {
  exact(output, a) {
    if (typeof a.value === 'string') {
      const got = text(output);
      const same = a.ignore_case ? got.toLowerCase() === a.value.toLowerCase() : got === a.value;
      return verdict(same, same ? 'equal' : 'the output is another text');
    }
    const same = equal(parsed(output), a.value);
    return verdict(same, same ? 'equal' : 'the output is other JSON');
  },
  regex(output, a) {
    const pass = new RegExp(a.pattern, a.ignore_case ? 'iu' : 'u').test(text(output));
    return verdict(pass, pass ? 'found' : 'the pattern is not in the output');
  },
  similarity(output, a) {
    // Twice the longest common subsequence over both lengths, by bits.
    const fold = (t) => Array.from(a.ignore_case ? t.toLowerCase() : t);
    const got = fold(text(output)).slice(0, 50000);
    const wanted = fold(a.value);
    const places = new Map();
    wanted.forEach((c, i) => places.set(c, (places.get(c) || 0n) | (1n << BigInt(i))));
    const mask = (1n << BigInt(wanted.length)) - 1n;
    let row = mask;
    for (const c of got) {
      const hits = row & (places.get(c) || 0n);
      row = ((row + hits) | (row - hits)) & mask;
    }
    const left = row.toString(2).split('1').length - 1;
    const both = got.length + wanted.length;
    const found = both ? (2 * (wanted.length - left)) / both : 1;
    return verdict(found >= a.threshold, found.toFixed(2) + ' similar to the text');
  },
  json_pointer_equals(output, a) {
    const got = at(parsed(output), a.pointer);
    const pass = got !== undefined && equal(got, a.value);
    return verdict(pass, pass ? 'equal' : a.pointer + ' is ' + (JSON.stringify(got) || 'absent'));
  },
  max_calls(output, a) {
    const found = calls(output).filter((call) => call.name === a.name).length;
    return verdict(found <= a.count, a.name + ' was called ' + found + ' times');
  },
  tool_called(output, a) {
    const wanted = a.arguments || {};
    const fits = (given) => (a.match === 'exact' ? equal(given, wanted) : within(wanted, given));
    const pass = calls(output).some((call) => call.name === a.name && fits(call.arguments));
    return verdict(pass, pass ? 'called' : a.name + ' was not called like this');
  },
  cites_document(output, a) {
    const pass = cited(output, a.document);
    return verdict(pass, pass ? 'cited' : a.document + ' is not cited');
  },
};

module.exports = (output, context) => {
  const assertion = context.config;
  const check = Object.hasOwn(CHECKS, assertion.type) ? CHECKS[assertion.type] : undefined;
  if (!check) return verdict(false, assertion.type + ' cannot be checked in promptfoo');
  return check(output, assertion);
};
"""
