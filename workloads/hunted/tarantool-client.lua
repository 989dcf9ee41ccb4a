-- A client of Tarantool: requests as JSON lines on standard input, answers on standard output.
local json, net = require('json'), require('net.box')
local connections = {}
local function perform(request)
    local seconds = request.deadline_ms / 1000
    local connection = connections[request.address]
    if connection == nil or not connection:is_connected() then
        if connection ~= nil then connection:close() end
        connection = net.connect(request.address, {connect_timeout = seconds})
        if not connection:is_connected() then
            return {type = 'fail', error = 'not-connected'}
        end
        connections[request.address] = connection
    end
    if connection.space.items == nil then
        connection:close()
        return {type = 'fail', error = 'no-space'}
    end
    if request.f == 'add' then
        connection.space.items:insert({request.value}, {timeout = seconds})
        return {type = 'ok'}
    end
    local rows = connection:call('box.space.items:select', {{}, {limit = 1000000}}, {timeout = seconds})
    local list = {}
    for _, row in ipairs(rows) do table.insert(list, row[1]) end
    return {type = 'ok', value = setmetatable(list, {__serialize = 'seq'})}
end
for line in io.stdin:lines() do
    local request = json.decode(line)
    local done, answer = pcall(perform, request)
    if not done then
        local text = tostring(answer)
        local kind = (text:find('read%-only') or text:find('read only')) and 'fail' or 'info'
        answer = {type = kind, error = text:sub(1, 80)}
    end
    answer.id = request.id
    io.stdout:write(json.encode(answer), '\n')
    io.stdout:flush()
end
os.exit(0)
