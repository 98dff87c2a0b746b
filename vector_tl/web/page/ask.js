// What the page's server answers, as JSON; with a body, by POST. The token stands in the page's own address, so paths
// are relative. Throws an error with its sentence and `status`, 0 where nobody answers.

export async function ask(path, body, options = {}) {
  const post = {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  };
  let answer;
  try {
    answer = await fetch(path, { ...(body === undefined ? {} : post), ...options });
  } catch (cause) {
    throw failure("The server does not answer.", 0, cause);
  }
  if (answer.status === 204) return null;
  const data = await answer.json().catch(() => ({ error: `The server answered ${answer.status}.` }));
  if (!answer.ok) throw failure(data.error, answer.status);
  return data;
}

export function failure(sentence, status, cause) {
  return Object.assign(new Error(sentence, { cause }), { status });
}
